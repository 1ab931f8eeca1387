"""Take a version out of the registry as a file, and hold it to what the version itself answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from frostline.backbones.viewed import images_at_once, views_in
from frostline.data.test_set import TestSet
from frostline.errors import ExportError
from frostline.evaluation.agreement import Agreement, compare
from frostline.files.atomic import atomic_file
from frostline.registry.models import LoadedVersion
from frostline.registry.network import answers_of, together
from frostline.runtime.progress import say, track
from frostline.serving.forms.asking import Ask, open_export
from frostline.serving.forms.kind import Kind
from frostline.serving.forms.litert_file import write_litert
from frostline.serving.forms.onnx_file import write_onnx
from frostline.serving.forms.record import ExportRecord
from frostline.serving.pixels import decoded

__all__ = ["CALIBRATION", "Material", "export"]

CALIBRATION = 100
"""So many training images say what ranges activations have."""


@dataclass(frozen=True, eq=False)
class Material:
    """Pictures for an export: the test split, None where it is not at hand, and training images to calibrate by."""

    test: TestSet | None
    training: Sequence[Path] = ()
    seed: int = 0


def export(version: LoadedVersion, path: Path, kind: Kind, material: Material, *, force: bool = False) -> ExportRecord:
    """Write the network of `version` to `path`, and to `<path>.json` what it is and how it agrees with the version.

    The network takes pixels [N, S, S, 3] in 0..255 of pictures resized as the version's model_config says, and gives
    calibrated `probabilities` [N, K] and `strangeness` [N], which above 1 means an unknown picture. It is asked about
    all test images that the version can read; where the test split is not at hand, that is said.

    Raises PackageError if a package is missing, DataError if a picture is gone, and ExportError if none can be read, if
    there is none to calibrate by, or if `Kind.objection` has one and not `force`: then nothing is written.
    """
    network = version.open_network()
    network.predict_on_batch(np.zeros((1, *network.input_shape[1:])))  # Keras exports only what was called
    with atomic_file(path) as new, atomic_file(path.with_name(f"{path.name}.json")) as beside:
        _write(version, network, new, kind, material)
        ask = open_export(new, kind.form)
        agreement = _compared(version, network, ask, material.test, material.seed) if material.test else None
        if agreement is None:
            say(f"The test split is not at hand: whether the {kind} export answers as the version does is not checked.")
        elif objection := kind.objection(agreement):
            what = f"The {kind} export of {version.name} version {version.number} answers otherwise: {objection}."
            if not force:
                raise ExportError(f"{what} Nothing was written; --force keeps it nevertheless.")
            say(f"Warning: {what}")
        elif agreement.loss.low > 0:
            say(f"Warning: the {kind} export loses balanced accuracy: {agreement.loss}.")
        record = ExportRecord.of(version, kind, new, agreement)
        beside.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return record


def _write(version: LoadedVersion, network: Any, path: Path, kind: Kind, material: Material) -> None:
    if kind.form == "keras":
        _save(network, path)
    elif kind.form == "onnx":
        write_onnx(network, path)
    else:
        squares, _ = decoded(version, material.training if kind.precision == "int8" else ())
        if kind.precision == "int8" and not len(squares):
            raise ExportError(
                "An int8 export needs training images, by which the ranges of activations are found, and there are "
                "none that the version can read. Run `dvc repro prepare`, or export with --precision dynamic."
            )
        write_litert(network, path, kind.precision, squares)


def _save(network: Any, path: Path) -> None:
    """Keras takes a name alone that ends in .keras."""
    with TemporaryDirectory(dir=path.parent) as folder:
        saved = Path(folder, "network.keras")
        network.save(saved)
        saved.replace(path)


def _compared(version: LoadedVersion, network: Any, ask: Ask, test: TestSet, seed: int) -> Agreement:
    """What `ask` and `network` say of the images of `test`, a few at a time."""
    at_once = images_at_once(views_in(network))
    batches = [test.paths[start : start + at_once] for start in range(0, len(test.paths), at_once)]
    original, copy, usable = [], [], []
    for batch in track(batches, "Comparing the export, by batches", len(batches)):
        squares, readable = decoded(version, batch)
        usable.append(readable)
        if len(squares):
            pixels = squares.astype(np.float32)
            original.append(answers_of(network, pixels))
            copy.append(ask(pixels))
    if not original:
        raise ExportError(f"{version.name} version {version.number} can read none of {len(test.paths)} test images.")
    compared = test.only(np.concatenate(usable))
    return compare(compared.labels, together(original), together(copy), compared.groups, seed)
