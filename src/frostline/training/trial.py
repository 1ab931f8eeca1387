"""One trial: validate settings on a cell, or refit them on all of it."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from frostline.config.schema import TrainConfig
from frostline.statistics.standard_error import settled_epoch, standard_error
from frostline.statistics.temperature import fit_temperature
from frostline.training.fit import predict, train_epoch
from frostline.training.memo import Epoch, Memo
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.suffix import with_head

__all__ = ["SCORE", "STANDARD_ERROR", "Trainer", "Validation", "Watcher", "best_epoch", "epochs_within_budget"]

SCORE = "validation_balanced_accuracy"
"""The metric that a search maximises: balanced accuracy on validation images, in [0, 1]."""

STANDARD_ERROR = "validation_standard_error"
"""The metric that says how sure that score is."""

Metrics = dict[str, float]
_History = tuple[list[Metrics], list[NDArray[np.bool_]]]


@dataclass(frozen=True)
class Validation:
    """What validating one trial gave: its best epoch (from 1), what was measured there, every epoch's metrics.

    `right` [n] says which of the cell's validation images, fold after fold, were named rightly there.
    """

    score: float
    standard_error: float
    epochs: int
    temperature: float
    right: tuple[bool, ...]
    history: tuple[Metrics, ...]


class Watcher(Protocol):
    """Is told how a trial is doing, and ends it by raising."""

    def epoch(self, epoch: int, metrics: Metrics) -> None:
        """A hold-out's metrics after an epoch, from 1."""

    def fold(self, history: list[Metrics], first: int, certainties: NDArray[np.float32]) -> None:
        """After a fold: the metrics of every epoch over the folds so far, and how its own validation images fared.

        `certainties` [n], in [0, 1], are the probabilities that the network gave to the right classes in the end; the
        first of them is of the cell's validation image number `first`, counted fold after fold.
        """


def best_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """The epoch (from 1) to use, by the metrics of every epoch: see `settled_epoch`."""
    return settled_epoch([each[SCORE] for each in history], [each[STANDARD_ERROR] for each in history])


def epochs_within_budget(train: TrainConfig, share: float, training_images: int) -> int:
    """Epochs that a trial may train for at most.

    `share` is the part of the whole backbone's FLOPs that its thawed blocks take, in [0, 1]; an epoch then costs as
    much as `share * training_images` images forward and backward through every block, and `train.budget` counts those.
    """
    if share == 0:
        return train.epochs
    return min(train.epochs, max(1, int(train.budget / (share * training_images))))


class Trainer:
    """Trains settings on one cell with one backbone; with a `memo`, what thaws blocks is not trained twice."""

    def __init__(self, setup: Setup, memo: Memo | None = None) -> None:
        self.setup = setup
        self._memo = memo
        self.cell = setup.cell
        self.backbone = setup.backbone
        self._train = setup.train
        self._flops = self.backbone.flops_per_block()
        self._groups = np.unique(self.cell.packed.index["group"].to_numpy(dtype=str), return_inverse=True)[1]

    def epochs(self, keep: int, freeze_depth: int) -> int:
        """Epochs that a trial at this depth may train for at most."""
        share = sum(self._flops[freeze_depth:keep]) / sum(self._flops)
        return epochs_within_budget(self._train, share, self.cell.training_images)

    def validate(self, settings: TrialSettings, seed: int, watcher: Watcher) -> Validation:
        """Train on every fold's training rows, fold after fold, and score the validation rows after each epoch.

        A hold-out ends early when `patience` epochs in a row scored lower than the best by more than a standard error;
        the epochs of folds are scored together, when all are trained. See `best_epoch`.

        Raises TrainingDiverged if a loss is not finite.
        """
        epochs = self.epochs(settings.keep, settings.freeze_depth)
        validate = self._held_out if len(self.cell.folds) == 1 else self._folded
        history, answers = validate(settings, epochs, seed, watcher)
        epoch = best_epoch(history)
        best, right = history[epoch - 1], answers[epoch - 1]
        return Validation(
            best[SCORE], best[STANDARD_ERROR], epoch, best["temperature"], tuple(right.tolist()), tuple(history)
        )

    def refit(self, settings: TrialSettings, epochs: int, seed: int) -> Any:
        """The whole float32 network, raw images [N, S, S, 3] in 0..255 to probabilities [N, K], trained on all rows.

        The learning rates fall to zero over just these `epochs`, so that the network is a settled one.
        """
        train = partial(self._train_network, settings, epochs, seed)
        if self._memo is None or settings.thaw == 0:
            return train()
        what = settings.model_dump() | {"epochs": epochs, "seed": seed}
        return self._memo.network(what, partial(self._new_network, settings), train)

    def _held_out(self, settings: TrialSettings, epochs: int, seed: int, watcher: Watcher) -> _History:
        history: list[Metrics] = []
        answers: list[NDArray[np.bool_]] = []
        with closing(self._fold(settings, 0, epochs, seed)) as fold:
            for epoch, (loss, probabilities) in enumerate(fold, start=1):
                history.append(self._metrics([loss], probabilities))
                answers.append(self._right(probabilities))
                watcher.epoch(epoch, history[-1])
                if epoch - best_epoch(history) >= self._train.patience:
                    break
        return history, answers

    def _folded(self, settings: TrialSettings, epochs: int, seed: int, watcher: Watcher) -> _History:
        history: list[Metrics] = []
        merged: list[NDArray[np.float32]] = []
        folds: list[list[Epoch]] = []
        first = 0
        for number, (_, validation) in enumerate(self.cell.folds):
            folds.append(list(self._fold(settings, number, epochs, seed)))
            together = list(zip(*folds, strict=True))
            merged = [np.concatenate([each for _, each in epoch]) for epoch in together]
            history = [
                self._metrics([loss for loss, _ in epoch], probabilities)
                for epoch, probabilities in zip(together, merged, strict=True)
            ]
            _, probabilities = folds[-1][-1]
            labels = self.cell.packed.labels[validation]
            watcher.fold(history, first, probabilities[np.arange(len(labels)), labels])
            first += len(validation)
        return history, [self._right(probabilities) for probabilities in merged]

    def _right(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether each of the first n validation rows is named rightly by `probabilities` [n, K]."""
        rows = self.cell.validation_rows[: len(probabilities)]
        return np.asarray(probabilities.argmax(axis=1) == self.cell.packed.labels[rows])

    def _metrics(self, losses: list[float], probabilities: NDArray[np.float32]) -> Metrics:
        """Of class probabilities [n, K] of the first n validation rows."""
        from sklearn.metrics import balanced_accuracy_score, log_loss

        rows = self.cell.validation_rows[: len(probabilities)]
        labels, named = self.cell.packed.labels[rows], probabilities.argmax(axis=1)
        return {
            "train_loss": float(np.mean(losses)),
            "validation_loss": float(log_loss(labels, probabilities, labels=range(probabilities.shape[1]))),
            SCORE: float(balanced_accuracy_score(labels, named)),
            STANDARD_ERROR: standard_error(named == labels, labels, self._groups[rows]),
            "temperature": fit_temperature(labels, probabilities),
        }

    def _fold(self, settings: TrialSettings, number: int, epochs: int, seed: int) -> Generator[Epoch]:
        """Each epoch's mean loss on a fold and the class probabilities [n, K] of its validation rows."""
        train = partial(self._train_fold, settings, number, epochs, seed)
        if self._memo is None or settings.thaw == 0:
            return train()
        what = settings.model_dump() | {"fold": number, "epochs": epochs, "seed": seed}
        return self._memo.epochs(what, train, epochs)

    def _train_fold(self, settings: TrialSettings, number: int, epochs: int, seed: int) -> Generator[Epoch]:
        training, validation = self.cell.folds[number]
        rng = np.random.default_rng([seed, number])
        suffix, inputs = self.setup.begin(settings, training, epochs, seed, rng)
        for _ in range(epochs):
            loss = train_epoch(suffix.model, inputs, training, self._train.batch_size, rng)
            yield loss, predict(suffix.model, inputs.feed, validation)

    def _train_network(self, settings: TrialSettings, epochs: int, seed: int) -> Any:
        rng = np.random.default_rng([seed, len(self.cell.folds)])
        suffix, inputs = self.setup.begin(settings, self.cell.all_rows, epochs, seed, rng)
        for _ in range(epochs):
            train_epoch(suffix.model, inputs, self.cell.all_rows, self._train.batch_size, rng)
        return suffix.whole_network(self.setup.build(precision="float32"))

    def _new_network(self, settings: TrialSettings) -> Any:
        """The network of `settings` in float32, under a new head."""
        classes = len(self.cell.packed.classes)
        whole = self.setup.build(precision="float32")
        return with_head(whole, settings.keep, classes, settings.pooling, settings.dropout)
