"""What decides a result, in one place: every identity by its parts.

Each class below is a consumer, and its fields are the parts that it depends on, beside the code and the libraries that
it names. What has the same fingerprint is taken for the same; whatever changes a part makes it another. A part may
stand for others: `images` are pixels and labels, which say all that files and decoder could. The table of consumers
and parts is in docs/architecture.md.
"""

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any, ClassVar

import frostline

__all__ = [
    "DECODER_VERSION",
    "Activations",
    "Identity",
    "Machine",
    "Networks",
    "Pictures",
    "Study",
    "Trainings",
    "Version",
    "backend",
    "fingerprint",
    "versions",
]

DECODER_VERSION = 2
"""Raise it whenever frostline.data.images would give other pixels for the same file."""

_PACKAGE = Path(__file__).parent
_PREFIX = ("backbones", "cache", "data/views.py", "runtime/devices.py", "runtime/environment.py")
_TRAINING = (*_PREFIX, "runtime/precision.py", "statistics/brier.py", "statistics/temperature.py", "training")
_NETWORKS = ("keras", "numpy")
_STUDY = (*_NETWORKS, "optuna", "scikit-learn", "scipy")


def fingerprint(value: Any) -> str:
    """SHA-256 (64 hexadecimal digits) of `value` as canonical JSON; keys in any order give the same result."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def backend() -> str:
    """The name of Keras's backend, as `runtime.environment.prepare_keras` left it; Keras is not imported."""
    return os.environ.get("KERAS_BACKEND", "tensorflow")


def versions(distributions: Sequence[str]) -> dict[str, str]:
    """Their installed versions, read without importing them; with Keras comes its backend."""
    running = [backend(), *(["jaxlib"] if backend() == "jax" else [])] if "keras" in distributions else []
    return {name: _version(name) for name in (*distributions, *running)}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # TensorFlow, for one, comes under several names
        return ", ".join(f"{each} {version(each)}" for each in sorted(set(packages_distributions().get(name, ()))))


@cache
def _source(names: Sequence[str]) -> str:
    """The fingerprint of the source of rooms and modules, whose names start from the package's folder."""
    places = [_PACKAGE / name for name in names]
    files = sorted(file for place in places for file in ([place] if place.suffix else place.rglob("*.py")))
    return fingerprint({file.relative_to(_PACKAGE).as_posix(): file.read_text(encoding="utf-8") for file in files})


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a result depends on: fields that JSON can hold, the source of `code`, the versions of `libraries`."""

    code: ClassVar[Sequence[str]] = ()
    libraries: ClassVar[Sequence[str]] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """The parts by name."""
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        code = {"code": _source(self.code)} if self.code else {}
        return given | code | ({"libraries": versions(self.libraries)} if self.libraries else {})

    @property
    def fingerprint(self) -> str:
        """What the result is found again by."""
        return fingerprint(self.facts)


@dataclass(frozen=True, kw_only=True)
class Pictures(Identity):
    """The stages `prepare` and `preprocess`, beside their parameters; the stage `scan` notes it."""

    state: str
    corrections: str
    decoder: int = DECODER_VERSION
    release: str = frostline.__version__
    libraries = ("imagecodecs", "imagehash", "numpy", "pillow", "scipy", "tifffile")


@dataclass(frozen=True, kw_only=True)
class Networks(Identity):
    """The stages `profile` and `train`, beside their data and parameters; the stage `weigh` notes it.

    Code counts by release: a stage is not redone for every line that somebody saves. `dvc repro --force` does.
    """

    weights: str
    release: str = frostline.__version__
    libraries = _STUDY


@dataclass(frozen=True, kw_only=True)
class _Computed(Identity):
    """Numbers that a backbone gave of images."""

    images: str
    backbone: str
    image_size: int
    weights: str
    precision: str


@dataclass(frozen=True, kw_only=True)
class Activations(_Computed):
    """The outputs of frozen blocks, for all images of a packed data set under one view."""

    view: str
    devices: Sequence[str]
    code = _PREFIX
    libraries = _NETWORKS


@dataclass(frozen=True, kw_only=True)
class Trainings(_Computed):
    """What trainings on one cell gave; each is named by what it has of its own: settings, fold, epochs and seed."""

    folds: str
    training: Mapping[str, Any]
    devices: Sequence[str]
    code = _TRAINING
    libraries = (*_NETWORKS, "scipy")


@dataclass(frozen=True, kw_only=True)
class Study(_Computed):
    """The trials of a study.

    `groups` are of near duplicates, which standard errors know. Devices are no part, but that `search` says how many
    images they may train on: a study may go on elsewhere.
    """

    folds: str
    groups: str
    training: Mapping[str, Any]
    search: Mapping[str, Any]
    seed: int
    code = (*_TRAINING, "search", "statistics")
    libraries = _STUDY


@dataclass(frozen=True, kw_only=True)
class Machine(Identity):
    """What must be the same on all machines that train trials of one study."""

    precision: str
    python: str = field(default_factory=platform.python_version)
    release: str = frostline.__version__
    code = (".",)
    libraries = (*_STUDY, "ray")


@dataclass(frozen=True, kw_only=True)
class Version(Identity):
    """What a registered version answers, and what it may be judged by. Its libraries it names itself.

    `serving` holds classes, image size, resize, levels, limits, what is familiar and the share of outliers.
    """

    network: str
    serving: Mapping[str, Any]
    training_images: Sequence[str]
    decoder: int = DECODER_VERSION
