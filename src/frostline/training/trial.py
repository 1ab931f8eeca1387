"""One trial: validate settings on a cell, or refit them on all of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.surgery import Backbone, add_head, build_backbone, select_pooling
from frostline.backbones.weights import copy_weights
from frostline.config import BackboneConfig, TrainConfig
from frostline.training.cell import Cell
from frostline.training.fit import Inputs, State, predict, steps_per_epoch, train_epoch
from frostline.training.precision import resolve_precision
from frostline.training.prefix import PrefixCache
from frostline.training.settings import TrialSettings
from frostline.training.standard_error import settled_epoch
from frostline.training.views import VIEW_SETS

__all__ = ["SCORE", "Trainer", "Validation", "epochs_within_budget", "optimizer"]

SCORE = "validation_balanced_accuracy"
"""The metric that a search maximises: balanced accuracy on validation images, in [0, 1]."""

_MIN_EPOCHS = 2
Rows = NDArray[np.int64]
_STATISTICS_IMAGES = 256


@dataclass(frozen=True)
class Validation:
    """What validating one trial gave: its best epoch (from 1), the score there, and every epoch's metrics."""

    score: float
    epochs: int
    history: tuple[dict[str, float], ...]


def epochs_within_budget(train: TrainConfig, share: float, training_images: int) -> int:
    """Epochs that a trial may train for at most.

    `share` is the part of the whole backbone's FLOPs that its thawed blocks take, in [0, 1]; an epoch then costs as
    much as `share * training_images` images forward and backward through every block, and `train.budget` counts those.
    """
    if share == 0:
        return train.epochs
    return min(train.epochs, max(_MIN_EPOCHS, int(train.budget / (share * training_images))))


class Trainer:
    """Trains settings on one cell with one backbone."""

    def __init__(
        self,
        cell: Cell,
        name: str,
        config: BackboneConfig,
        train: TrainConfig,
        cache: PrefixCache,
        seed: int,
    ) -> None:
        self.cell = cell
        self._name = name
        self._config = config
        self._train = train
        self._cache = cache
        self._seed = seed
        self.precision = resolve_precision(train.precision)
        self.backbone = self._build()
        self._flops = self.backbone.flops_per_block()

    def epochs(self, keep: int, thaw: int) -> int:
        """Epochs that a trial at this depth may train for at most."""
        share = sum(self._flops[keep - thaw : keep]) / sum(self._flops)
        return epochs_within_budget(self._train, share, self.cell.training_images)

    def validate(
        self, settings: TrialSettings, seed: int, on_epoch: Callable[[int, dict[str, float]], None]
    ) -> Validation:
        """Train on every fold's training rows and score the validation rows after each epoch.

        Folds advance together, so that an epoch's balanced accuracy is over all validation rows, and a pruner, through
        an exception from `on_epoch(epoch, metrics)`, stops all of them. Training ends early when `patience` epochs in a
        row scored lower than the best by more than a standard error; see `settled_epoch`.

        Raises TrainingDiverged if a loss is not finite.
        """
        from sklearn.metrics import balanced_accuracy_score, log_loss

        epochs = self.epochs(settings.keep, settings.thaw)
        suffix = _Suffix(self, settings, seed, epochs * self._steps(self.cell.folds[0][0]))
        folds: list[tuple[Rows, Rows, State, np.random.Generator]] = []
        for training, validation in self.cell.folds:
            suffix.start(training)
            folds.append((training, validation, State(suffix.model), np.random.default_rng([seed, len(folds)])))
        rows = self.cell.validation_rows
        labels = self.cell.packed.labels[rows]
        history: list[dict[str, float]] = []
        best = 1
        for epoch in range(1, epochs + 1):
            losses, probabilities = [], []
            for training, validation, state, rng in folds:
                if len(folds) > 1:
                    state.restore()
                losses.append(train_epoch(suffix.model, suffix.inputs, training, self._train.batch_size, rng))
                probabilities.append(predict(suffix.model, suffix.inputs.views["identity"], validation, 32))
                if len(folds) > 1:
                    state.save()
            predicted = np.concatenate(probabilities)
            metrics = {
                "train_loss": float(np.mean(losses)),
                "validation_loss": float(log_loss(labels, predicted, labels=range(predicted.shape[1]))),
                SCORE: float(balanced_accuracy_score(labels, predicted.argmax(axis=1))),
            }
            history.append(metrics)
            best = settled_epoch([each[SCORE] for each in history], len(rows))
            on_epoch(epoch, metrics)
            if epoch - best >= self._train.patience:
                break
        return Validation(history[best - 1][SCORE], best, tuple(history))

    def refit(self, settings: TrialSettings, epochs: int, seed: int) -> Any:
        """The whole float32 network, raw images [N, S, S, 3] in 0..255 to probabilities [N, K], trained on all rows.

        The learning rates fall to zero over just these `epochs`, so that the network is a settled one.
        """
        rows = self.cell.all_rows
        suffix = _Suffix(self, settings, seed, epochs * self._steps(rows))
        suffix.start(rows)
        rng = np.random.default_rng([seed, len(self.cell.folds)])
        for _ in range(epochs):
            train_epoch(suffix.model, suffix.inputs, rows, self._train.batch_size, rng)
        return suffix.whole_network()

    def _steps(self, rows: Rows) -> int:
        return steps_per_epoch(len(rows), self._train.batch_size)

    def class_weights(self) -> NDArray[np.float32]:
        """A weight per class [K], inverse to its share of the cell's images and 1 on average over them."""
        classes = len(self.cell.packed.classes)
        if not self._train.class_weights:
            return np.ones(classes, dtype=np.float32)
        counts = np.bincount(self.cell.packed.labels[self.cell.all_rows], minlength=classes)
        return np.asarray(counts.sum() / (classes * np.maximum(counts, 1)), dtype=np.float32)

    def _build(self, random_seed: int | None = None, *, precision: str | None = None) -> Backbone:
        """The backbone with its weights, or with random ones. Without `random_seed`, always the same numbers."""
        return build_backbone(
            self._name,
            self._config,
            precision=precision or self.precision,
            random=random_seed is not None,
            seed=self._seed if random_seed is None else random_seed,
        )


class _Suffix:
    """The trained part of a network (thawed blocks and head) and what it trains on."""

    def __init__(self, trainer: Trainer, settings: TrialSettings, seed: int, steps: int) -> None:
        """`steps` is how many the learning rates take to fall to zero."""
        import keras

        self._trainer, self._settings, self._seed = trainer, settings, seed
        if settings.thaw:
            self._backbone = trainer._build(seed if settings.init == "random" else None)
            self._backbone.freeze(settings.keep, settings.thaw, train_batchnorm=trainer._train.train_batchnorm)
            features = self._backbone.slice(settings.freeze_depth, settings.keep)
            inputs, x = features.inputs, features.output
        else:
            self._backbone = trainer.backbone
            inputs = keras.Input((2 * self._backbone.output_shape(settings.keep)[-1],))
            x = inputs
        output, self._statistics = add_head(
            x, len(trainer.cell.packed.classes), pooling=settings.pooling, dropout=settings.dropout, seed=seed
        )
        self.model = keras.Model(inputs, output)
        self.model.compile(optimizer(settings, steps), "sparse_categorical_crossentropy", jit_compile=False)
        self.model.optimizer.build(self.model.trainable_variables)
        self._initial = State(self.model)
        self.inputs = self._inputs()

    def start(self, rows: Rows) -> None:
        """Put the network back to its initial values, with feature statistics taken from `rows`."""
        self._initial.restore()
        features = select_pooling(self._pooled(rows), self._settings.pooling)
        self._statistics.moving_mean.assign(features.mean(axis=0))
        self._statistics.moving_variance.assign(features.var(axis=0))

    def whole_network(self) -> Any:
        """Prefix, suffix and head as one float32 network on raw images, with this suffix's trained weights."""
        import keras

        whole = self._trainer._build(precision="float32")
        whole_map = whole.slice(0, self._settings.keep)
        if self._settings.thaw:
            copy_weights(self._backbone.slice(0, self._settings.keep), whole_map)
        output, _ = add_head(
            whole_map.output,
            len(self._trainer.cell.packed.classes),
            pooling=self._settings.pooling,
            dropout=self._settings.dropout,
            seed=self._seed,
        )
        network = keras.Model(whole_map.inputs, output)
        for name in ("feature_normalisation", "head"):
            network.get_layer(name).set_weights(self.model.get_layer(name).get_weights())
        return network

    def _inputs(self) -> Inputs:
        trainer, settings, cell = self._trainer, self._settings, self._trainer.cell
        fetch = trainer._cache.maps if settings.thaw else trainer._cache.pooled
        cut = settings.freeze_depth
        views = {
            view: fetch(trainer.backbone, cell.packed, cell.all_rows, view, cut) for view in VIEW_SETS[settings.views]
        }
        return Inputs(views, cell.packed.labels, trainer.class_weights())

    def _pooled(self, rows: Rows) -> NDArray[np.float32]:
        """Pooled features of `rows` [len(rows), 2C] as the network gives them before training."""
        trainer, settings = self._trainer, self._settings
        if settings.init == "pretrained":
            values = trainer._cache.pooled(
                trainer.backbone, trainer.cell.packed, trainer.cell.all_rows, "identity", settings.keep
            )
            return np.asarray(values[rows])
        return self._backbone.pooled(settings.keep, trainer.cell.packed.images[_spread(rows, _STATISTICS_IMAGES)])


def optimizer(settings: TrialSettings, steps: int) -> Any:
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101): one learning rate for the head and one for thawed blocks.

    Both fall to zero along a cosine over `steps` steps (arXiv 1608.03983), without which the last steps' noise decides
    what a small cell's model is. Only the head's weights decay: decay towards zero would undo pretrained weights, which
    their small rate holds in place.
    """
    from keras.optimizers import AdamW, MultiOptimizer, OptimizerMap
    from keras.optimizers.schedules import CosineDecay

    rates = OptimizerMap(AdamW(CosineDecay(settings.backbone_learning_rate, steps), weight_decay=0))
    rates["head/.*"] = AdamW(CosineDecay(settings.head_learning_rate, steps), weight_decay=settings.weight_decay)
    return MultiOptimizer(rates)


def _spread(rows: Rows, count: int) -> Rows:
    """At most `count` of `rows`, evenly spaced, so that no class is left out because rows are in order."""
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)])
