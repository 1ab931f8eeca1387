"""One curve: a head fitted, or a network trained until it no longer improves, scored and tested after every epoch."""

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.data.arrays import Rows
from frostline.data.views import views_of
from frostline.statistics.temperature import fit_temperature
from frostline.training.features import ReadOut
from frostline.training.fit import Inputs, TrainingDiverged, average_features
from frostline.training.served import head_of
from frostline.training.settings import TrialSettings
from frostline.training.suffix import Suffix
from frostline.training.trial import Trainer

from ..measuring import machine
from .cells import CellKey
from .table import Arrays, Curve
from .variants import BASE

_STEEPEST = 60.0


def measure(
    key: CellKey, variant: str, name: str, settings: TrialSettings, trainer: Trainer, test: Rows, folds: int
) -> Curve:
    """The curve of `settings`, on the first `folds` folds if blocks are thawed; a head is fitted in all of them."""
    started, cell = time.perf_counter(), trainer.cell
    facts: dict[str, Any] = {"settings": settings.model_dump(mode="json"), "diverged": False}
    if settings.thaw:
        arrays = _thawed(trainer, settings, key.seed, test, folds, facts)
    else:
        arrays = _head(trainer, settings, test)
    facts |= {
        "images": len(cell.rows),
        "fold_sizes": [len(validation) for _, validation in cell.folds],
        # Of an epoch on each fold, in images through every block, forward and backward; times `image_flops` in FLOPs.
        "epoch_costs": [trainer.cost(settings, fold) for fold in range(len(cell.folds))],
        "image_flops": 3 * sum(trainer.backbone.flops_per_block()),
        "head_flops": _head_flops(trainer, settings),
        "seconds": round(time.perf_counter() - started, 2),
        "machine": machine(),
    }
    labels = cell.packed.labels
    arrays |= {"labels": labels[cell.validation_rows].astype(np.uint8), "test_labels": labels[test].astype(np.uint8)}
    if variant != BASE:  # the table is to be small
        arrays = {kind: values for kind, values in arrays.items() if not kind.startswith("raw_")}
    return Curve(key, variant, name, facts, arrays)


def margins(logits: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float16]:
    """Log odds [..., N] of the own class of each of N images, from logits [..., N, 2]."""
    return (np.where(labels == 1, 1, -1) * (logits[..., 1] - logits[..., 0])).clip(-_STEEPEST, _STEEPEST).astype("f2")


def loss_of(own: NDArray[np.floating[Any]]) -> float:
    """The mean negative log likelihood of calibrated probabilities, as trials are judged by, from margins [N]."""
    own = own.astype(np.float64)
    probabilities = 1 / (1 + np.exp(-np.stack([own, -own], axis=1)))
    return float(np.logaddexp(0, -own / fit_temperature(np.zeros(len(own), np.int64), probabilities)).mean())


def _head(trainer: Trainer, settings: TrialSettings, test: Rows) -> Arrays:
    cell, labels = trainer.cell, trainer.cell.packed.labels
    scores = trainer.heads.scores(settings)
    seen = ReadOut(trainer.setup.vectors, settings.blocks, settings.pooling, views_of(settings.test_views))[test]
    fitted = [trainer.heads.fit(settings, rows).logits(seen) for rows in (cell.folds[0][0], np.sort(cell.rows))]
    tested = margins(np.stack(fitted), labels[test])
    return {
        "margins": margins(scores.logits / scores.temperature, labels[cell.validation_rows]),
        "test_margins": tested,
        "right": np.packbits(tested[:1] > 0, axis=1),
    }


def _thawed(
    trainer: Trainer, settings: TrialSettings, seed: int, test: Rows, folds: int, facts: dict[str, Any]
) -> Arrays:
    labels, patience, most = trainer.cell.packed.labels, trainer.setup.train.patience, trainer.setup.train.epochs
    found: dict[str, list[NDArray[Any]]] = {"margins": [], "raw_margins": [], "right": [], "raw_right": []}
    losses: list[float] = []
    times: list[float] = []
    _, validation = trainer.cell.folds[0]
    views, started = len(views_of(settings.test_views)), time.perf_counter()
    try:
        for suffix, inputs, loss in islice(_epochs(trainer, settings, seed, 0), most):
            trained = time.perf_counter() - started
            for kind, logits in (("", _averaged), ("raw_", _raw)):
                own = margins(logits(suffix, inputs, validation, views), labels[validation])
                tested = margins(logits(suffix, inputs, test, views), labels[test])
                found[f"{kind}margins"].append(own)
                found[f"{kind}right"].append(np.packbits(tested > 0))
            losses.append(loss)
            times.append(trained)
            started = time.perf_counter()
            scores = [loss_of(own) for own in found["margins"]]
            if len(scores) - 1 - int(np.argmin(scores)) >= patience:
                break
        others = [_fold(trainer, settings, seed, fold, len(losses)) for fold in range(1, folds)]
    except TrainingDiverged:
        facts["diverged"] = True
        others = []
    facts["epoch_seconds"] = float(np.median(times)) if times else None
    epochs = len(losses)
    arrays = {name: np.stack(values[:epochs]) if epochs else np.empty((0, 0)) for name, values in found.items()}
    return arrays | {
        "margins": np.concatenate([arrays["margins"], *others], axis=1),
        "train_losses": np.array(losses, dtype=np.float32),
    }


def _fold(trainer: Trainer, settings: TrialSettings, seed: int, fold: int, epochs: int) -> NDArray[np.float16]:
    """Margins [E, n] of a later fold's validation images."""
    _, validation = trainer.cell.folds[fold]
    views = len(views_of(settings.test_views))
    labels = trainer.cell.packed.labels[validation]
    trained = islice(_epochs(trainer, settings, seed, fold), epochs)
    return np.stack([margins(_averaged(suffix, inputs, validation, views), labels) for suffix, inputs, _ in trained])


def _epochs(trainer: Trainer, settings: TrialSettings, seed: int, fold: int) -> Iterator[tuple[Suffix, Inputs, float]]:
    return trainer._train_epochs(settings, trainer.cell.folds[fold][0], seed, fold)


def _averaged(suffix: Suffix, inputs: Inputs, rows: Rows, views: int) -> NDArray[np.float64]:
    """Logits [N, 2] of weights averaged over steps."""
    return np.log(np.maximum(suffix.probabilities(inputs, rows, views).astype(np.float64), 1e-30))


def _raw(suffix: Suffix, inputs: Inputs, rows: Rows, views: int) -> NDArray[np.float32]:
    """Of weights as they are."""
    return head_of(suffix.model).logits(average_features(suffix._features, inputs, rows, views))


def _head_flops(trainer: Trainer, settings: TrialSettings) -> float:
    """Of a head in one draw of folds: an eigenvalue decomposition a fold, of the smaller of images and features."""
    cell, width = trainer.cell, sum(trainer.backbone.width(block, settings.pooling) for block in settings.blocks)
    smaller, larger = sorted((len(cell.folds[0][0]), width))
    return len(cell.folds) * smaller**2 * (9.0 * smaller + 2 * larger)
