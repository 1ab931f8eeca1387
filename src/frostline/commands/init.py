"""`frostline init`: a project of one's own, with params.yaml filled in for its images."""

import shutil
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from shlex import quote

from frostline.commands.advise import WHOLE, examine
from frostline.config.schema import BackboneConfig, ElpvConfig, PrepareConfig
from frostline.data.sources import open_source
from frostline.data.sources.kept import stem
from frostline.errors import ConfigError, DataError, PackageError, WeightsError
from frostline.files.atomic import atomic_file
from frostline.files.reading import reading
from frostline.files.writing import writing
from frostline.runtime.devices import accelerators
from frostline.runtime.progress import say
from frostline.scaffold.proposal import Proposal, dataset_name, image_size, known_backbone
from frostline.scaffold.repository import make_repository
from frostline.scaffold.template import example_parameters, ignored, parameters, pipeline
from frostline.text.phrases import counted
from frostline.text.words import encodable

__all__ = ["run"]

_LOOKED_AT = 400
_MEASURED_AT = 128
_TABLES = (".csv", ".tsv", ".jsonl")


def run(folder: Path, images: Path | None, *, example: bool, force: bool) -> None:
    """Write a project into `folder`: dvc.yaml, params.yaml, .gitignore, .dvcignore, a git and a DVC repository.

    params.yaml is for `images`, or with `example` for the solar cells. With `force` files that are there are written
    over; the lines of .gitignore and .dvcignore stay in any case.

    Raises:
        ConfigError: neither is asked for, or both are; or files are there, and `force` is not given.
        DataError: `images` cannot be read.
        PackageError: the solar cells' package is not installed.
        WriteError: `folder` cannot be written.
    """
    if (images is None) != example:
        raise ConfigError(
            "Say what the project is for: `--images PATH` for a folder with a sub-folder per class, an archive of one, "
            "or a table; or `--example` for the solar cells. One of the two."
        )
    with reading(folder, ConfigError):
        there = [name for name in ("dvc.yaml", "params.yaml") if (folder / name).exists()]
    if there and not force:
        raise ConfigError(
            f"{folder.absolute()} holds {' and '.join(there)} already. Name another folder, or say --force to write "
            "over them."
        )
    texts = {"dvc.yaml": pipeline(), "params.yaml": _parameters(folder, images)}
    with _made(folder):
        made = make_repository(Path.cwd())
    for name, text in (texts | _ignored(folder)).items():
        with atomic_file(folder / name) as file:
            file.write_text(text, encoding="utf-8", errors="surrogateescape")
    made += ["dvc.yaml", "params.yaml", ".gitignore", ".dvcignore"]
    say(f"{folder.absolute()} holds now: {', '.join(made)}.")
    _say_next(folder)


def _parameters(folder: Path, images: Path | None) -> str:
    if images is None:
        open_source(ElpvConfig(source="elpv"))
        return example_parameters()
    with reading(images, DataError):
        there = images.exists()
    if not there:
        raise DataError(f"{images} does not exist (seen from {Path.cwd()}). Mend the path after --images.")
    if encodable(str(images.resolve())) != str(images.resolve()):
        raise DataError(f"{images} has a name that is no text in UTF-8, which params.yaml could hold. Rename it.")
    return parameters(_proposal(folder, images))


def _proposal(folder: Path, images: Path) -> Proposal:
    path, home = images.resolve(), folder.resolve()
    place = path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
    source = "csv" if images.suffix.lower() in _TABLES else "folder"
    spec = known_backbone()
    if source == "csv":
        side, seen = None, ""
    elif images.is_dir():
        side, seen = _look(images, spec.name)
    else:
        with _made(home):  # where an archive is unpacked
            side, seen = _look(path, spec.name)
    pixels, why = image_size(side, spec, accelerated=bool(accelerators()))
    notes = tuple(filter(None, (seen, f"image_size is {pixels}: {why}.")))
    for note in notes:
        say(note)
    return Proposal(
        dataset_name(path.name if path.is_dir() else stem(path)),
        {"source": source, "path": place},
        spec.name,
        pixels,
        notes,
    )


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    with writing(folder / "data"):
        folder.mkdir(parents=True, exist_ok=True)
    with chdir(folder):
        yield


def _look(images: Path, backbone: str) -> tuple[float | None, str]:
    """The median shorter side of the pictures in pixels, and what `advise` finds, in words; None where it cannot."""
    config = BackboneConfig(image_size=_MEASURED_AT)
    try:
        profile, sample = examine(images, backbone, config, _LOOKED_AT, PrepareConfig())
    except (WeightsError, PackageError) as error:
        say(f"The images are not measured, as there are no weights here to do it with. {error}")
        return None, ""
    if len(sample.classes) < 2:
        raise DataError(
            f"{images} holds {counted(len(sample.classes), 'class folder')}. Expected a sub-folder per class, two or "
            "more. `frostline advise` measures unlabelled pictures, too."
        )
    cell = profile.cell(WHOLE)
    shift = f", shift {cell.shift}" if cell.shift else ""
    return sample.side, (
        f"{sum(sample.counts)} images in {counted(len(sample.classes), 'class', 'classes')} are {cell.regime}{shift}; "
        f"the guide tries {' or '.join(cell.strategies)} first."
    )


def _ignored(folder: Path) -> dict[str, str]:
    """.gitignore and .dvcignore with the lines that they lack."""
    texts = {}
    for name in (".gitignore", ".dvcignore"):
        file = folder / name
        with reading(file, ConfigError):
            lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines() if file.exists() else []
        texts[name] = "".join(f"{line}\n" for line in [*lines, *(line for line in ignored(name) if line not in lines)])
    return texts


def _say_next(folder: Path) -> None:
    change = "" if folder.resolve() == Path.cwd() else f"cd {quote(str(folder))}\n  "
    if not shutil.which("frostline"):
        say("DVC calls `frostline` by its name: activate the environment that it is installed in first.")
    say(
        f"Read params.yaml, and run:\n  {change}frostline plan    # how long it takes on this machine\n"
        "  dvc repro         # the whole pipeline"
    )
