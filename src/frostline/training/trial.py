"""One trial: validate settings on a cell, or refit them on all of it."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from frostline.data.arrays import Rows
from frostline.data.views import views_of
from frostline.statistics.brier import brier_score
from frostline.statistics.familiar import Familiar
from frostline.statistics.standard_error import standard_error
from frostline.statistics.temperature import fit_temperature, with_temperature
from frostline.training.familiarity import familiar_to, tapped_layer
from frostline.training.fit import train_epoch
from frostline.training.heads import Heads, HeadScores
from frostline.training.memo import Epoch, Memo
from frostline.training.metrics import BRIER, LOSS, SCORE, STANDARD_ERROR, Metrics, best_epoch
from frostline.training.reports import EpochReport, FoldReport, Report, Watcher, watched
from frostline.training.ridge import LinearHead
from frostline.training.served import whole_network
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup

__all__ = ["Trainer", "Validation"]


@dataclass(frozen=True, eq=False)
class Validation:
    """What validating a trial gave, on the n validation images of the folds that judged it, fold after fold.

    They are all of the cell's unless it was ended before. `epochs` is how many a refit trains: none for a head.
    `correct` [n], in [0, 1], says in what share of the draws of folds each image was named rightly, `certainty` [n] the
    calibrated probability of its class. `history` has every epoch's metrics, a head's as one epoch.
    """

    score: float
    standard_error: float
    epochs: int
    temperature: float
    correct: NDArray[np.float32]
    certainty: NDArray[np.float32]
    history: tuple[Metrics, ...]


class Trainer:
    """Trains settings on one cell with one backbone; with a `memo`, what thaws blocks is not trained twice."""

    def __init__(self, setup: Setup, memo: Memo | None = None) -> None:
        self.setup = setup
        self._memo = memo
        self.cell = setup.cell
        self.backbone = setup.backbone
        self.heads = Heads(setup)
        self._train = setup.train
        self._flops = self.backbone.flops_per_block()
        self._groups = np.unique(self.cell.packed.index["group"].to_numpy(dtype=str), return_inverse=True)[1]

    def cost(self, settings: TrialSettings, fold: int) -> float:
        """How many images through every block, forward and backward, an epoch on a fold is worth.

        The thawed blocks' share of the backbone's floating-point operations, for the images trained on; and a third of
        that for those that validate it, once a test view, as they go forward alone.
        """
        training, validation = self.cell.folds[fold]
        share = sum(self._flops[settings.freeze_depth : settings.keep]) / sum(self._flops)
        return share * (len(training) + len(views_of(settings.test_views)) * len(validation) / 3)

    def validate(self, settings: TrialSettings, seed: int, watcher: Watcher) -> Validation:
        """Score `settings` by images that were not trained on.

        A head is fitted to every fold's training rows of every draw. Thawed blocks are trained on the first fold until
        `train.patience` epochs in a row, or `train.epochs` in all, have not lowered its validation loss; then on the
        others, for as many epochs as served the first best. `watcher` may end it on the way, so that the folds until
        then judge it.

        Raises TrainingDiverged if a loss is not finite.
        """
        return watched(self.steps(settings, seed), watcher)

    def steps(self, settings: TrialSettings, seed: int) -> Generator[Report, bool, Validation]:
        """The same, step by step: each gives a report, and is sent whether to go on."""
        if settings.thaw == 0:
            return self.judged(self.heads.scores(settings))
        folds = [(yield from self._first_fold(settings, seed))]
        epochs = len(folds[0])
        for number in range(1, len(self.cell.folds)):
            history, probabilities = self._together(folds)
            if not (yield FoldReport(history, self._certainty(probabilities, history[-1]["temperature"]))):
                break
            with closing(self._fold(settings, number, seed)) as fold:
                folds.append(list(islice(fold, epochs)))
        history, probabilities = self._together(folds)
        last = history[-1]
        return Validation(
            score=last[SCORE],
            standard_error=last[STANDARD_ERROR],
            epochs=epochs,
            temperature=last["temperature"],
            correct=self._right(probabilities).astype(np.float32),
            certainty=self._certainty(probabilities, last["temperature"]),
            history=tuple(history),
        )

    def refit(self, settings: TrialSettings, epochs: int, seed: int) -> Any:
        """The whole float32 network, raw images [N, S, S, 3] in 0..255 to probabilities [N, K], trained on all rows.

        Its probabilities are not yet calibrated: Validation has the temperature.
        """
        rows = self.cell.all_rows
        if settings.thaw == 0:
            return self._network(settings, self.heads.fitted(settings, rows))
        train = partial(self._train_network, settings, rows, epochs, seed)
        if self._memo is None:
            return train()
        what = settings.model_dump() | {"epochs": epochs, "seed": seed}
        return self._memo.network(what, partial(self._network, settings), train)

    def familiar(self, network: Any, settings: TrialSettings) -> tuple[str, Familiar] | None:
        """The layer after which a `network` of `settings` is tapped, and what is familiar there.

        None where that cannot be told.
        """
        familiar = familiar_to(network, self.setup, settings)
        return (tapped_layer(self.setup, settings), familiar) if familiar else None

    def judged(self, scores: HeadScores) -> Validation:
        """The validation of a head by its out-of-fold scores."""
        rows = self.cell.validation_rows
        labels = self.cell.packed.labels[rows]
        draws = softmax(scores.logits.astype(np.float64) / scores.temperature, axis=2)
        correct = (draws.argmax(axis=2) == labels).mean(axis=0)
        certainty = draws[:, np.arange(len(labels)), labels].mean(axis=0)
        recalls = [correct[labels == name].mean() for name in np.unique(labels)]
        error = standard_error(correct, labels, self._groups[rows])
        metrics = {LOSS: float(-np.log(np.maximum(certainty, 1e-7)).mean()), SCORE: float(np.mean(recalls))}
        metrics |= {BRIER: brier_score(certainty, labels), STANDARD_ERROR: error, "temperature": scores.temperature}
        return Validation(
            score=metrics[SCORE],
            standard_error=error,
            epochs=0,
            temperature=scores.temperature,
            correct=correct.astype(np.float32),
            certainty=certainty.astype(np.float32),
            history=(metrics,),
        )

    def _first_fold(self, settings: TrialSettings, seed: int) -> Generator[Report, bool, list[Epoch]]:
        """The first fold's epochs, up to the best."""
        history: list[Metrics] = []
        epochs: list[Epoch] = []
        with closing(self._fold(settings, 0, seed)) as fold:
            for epoch in islice(fold, self._train.epochs):
                epochs.append(epoch)
                history.append(self._metrics([epoch[0]], epoch[1]))
                best = best_epoch(history)
                settled = len(epochs) - best >= self._train.patience or len(epochs) == self._train.epochs
                certainty = self._certainty(epochs[best - 1][1], history[best - 1]["temperature"])
                if not (yield EpochReport(tuple(history), certainty, settled)) or settled:
                    break
        return epochs[: best_epoch(history)]

    def _together(self, folds: Sequence[Sequence[Epoch]]) -> tuple[list[Metrics], NDArray[np.float32]]:
        """Every epoch's metrics over the folds so far, and the last one's class probabilities [n, K]."""
        history = []
        for epoch in zip(*folds, strict=True):
            probabilities = np.concatenate([each for _, each in epoch])
            history.append(self._metrics([loss for loss, _ in epoch], probabilities))
        return history, probabilities

    def _right(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether each of the first n validation rows is named rightly by `probabilities` [n, K]."""
        rows = self.cell.validation_rows[: len(probabilities)]
        return np.asarray(probabilities.argmax(axis=1) == self.cell.packed.labels[rows])

    def _certainty(self, probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
        """The calibrated probability of its class for each of the first n validation rows."""
        labels = self.cell.packed.labels[self.cell.validation_rows[: len(probabilities)]]
        calibrated = with_temperature(probabilities, temperature)[np.arange(len(labels)), labels]
        return calibrated.astype(np.float32)

    def _metrics(self, losses: list[float], probabilities: NDArray[np.float32]) -> Metrics:
        """Of class probabilities [n, K] of the first n validation rows."""
        from sklearn.metrics import balanced_accuracy_score

        rows = self.cell.validation_rows[: len(probabilities)]
        labels = self.cell.packed.labels[rows]
        temperature = fit_temperature(labels, probabilities)
        certainty = np.maximum(self._certainty(probabilities, temperature), 1e-7)
        return {
            "train_loss": float(np.mean(losses)),
            LOSS: float(-np.log(certainty).mean()),
            SCORE: float(balanced_accuracy_score(labels, probabilities.argmax(axis=1))),
            BRIER: brier_score(certainty, labels),
            STANDARD_ERROR: standard_error(self._right(probabilities), labels, self._groups[rows]),
            "temperature": temperature,
        }

    def _fold(self, settings: TrialSettings, number: int, seed: int) -> Generator[Epoch]:
        """Each epoch's mean loss on a fold and the class probabilities [n, K] of its validation rows, without end."""
        train = partial(self._train_fold, settings, number, seed)
        if self._memo is None:
            return train()
        return self._memo.epochs(settings.model_dump() | {"fold": number, "seed": seed}, train)

    def _train_fold(self, settings: TrialSettings, number: int, seed: int) -> Generator[Epoch]:
        training, validation = self.cell.folds[number]
        views = len(views_of(settings.test_views))
        for suffix, inputs, loss in self._train_epochs(settings, training, seed, number):
            yield loss, suffix.probabilities(inputs, validation, views)

    def _train_network(self, settings: TrialSettings, rows: Rows, epochs: int, seed: int) -> Any:
        *_, (suffix, _, _) = islice(self._train_epochs(settings, rows, seed, len(self.cell.folds)), epochs)
        whole = self.setup.build(precision="float32")
        return whole_network(whole, settings, suffix.finish(whole))

    def _train_epochs(self, settings: TrialSettings, rows: Rows, seed: int, number: int) -> Iterator[Any]:
        """Train on `rows` without end; after each epoch the suffix, what it trains on, and the mean loss."""
        rng = np.random.default_rng([seed, number])
        head = None if settings.init == "random" else self.heads.fit(settings, rows)
        suffix, inputs = self.setup.begin(settings, rows, head, seed)
        while True:
            loss = train_epoch(suffix.model, inputs, rows, self._train.batch_size, rng)
            yield suffix, inputs, loss

    def _network(self, settings: TrialSettings, head: LinearHead | None = None) -> Any:
        """The whole network of `settings` in float32; without a `head` its weights are still to be set."""
        width = sum(self.backbone.width(block, settings.pooling) for block in settings.blocks)
        blank = LinearHead.blank(width, len(self.cell.packed.classes))
        return whole_network(self.setup.build(precision="float32"), settings, head or blank)
