"""Trials as users of Keras and Optuna write them: the whole network, fitted on images in memory.

Frozen blocks have `trainable = False` and run forward in every epoch; augmentation is a layer. The backbone and its
weights are frostline's, so that both ways start from the same numbers; the rest is what the guides of Keras and Optuna
show.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import optuna
from keras import layers
from keras.optimizers import Adam, MultiOptimizer, OptimizerMap
from keras.optimizers.schedules import CosineDecay
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from sklearn.utils.class_weight import compute_class_weight

from frostline.backbones.readout import read_out
from frostline.backbones.surgery import build_backbone
from frostline.config.schema import Config
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer

SCORE = "balanced_accuracy"
HEAD_RATE, DROPOUT = 1e-3, 0.3  # of heads, which frostline computes
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Job:
    """One trial of the list: which (from 1), what it trains, for how many epochs (of those its study allows it)."""

    trial: int
    settings: TrialSettings
    epochs: int
    allowed: int
    seed: int

    @property
    def kind(self) -> str:
        thaw = self.settings.thaw
        if thaw in (0, self.settings.keep):
            return "all" if thaw else "head"
        return "last-block" if thaw == 1 else "partial"


@dataclass(frozen=True)
class Bench:
    """A cell and a backbone; only frostline trains with the trainer, the others ask it for the cell and the depth."""

    config: Config
    backbone: str
    trainer: Trainer

    @property
    def folds(self) -> Sequence[Fold]:
        return self.trainer.cell.folds


@dataclass(frozen=True)
class Clock:
    """Wall and CPU seconds since it was made."""

    _wall: float = field(default_factory=time.perf_counter)
    _cpu: float = field(default_factory=time.process_time)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._wall

    @property
    def cpu_seconds(self) -> float:
        return time.process_time() - self._cpu


Reached = list[tuple[float, float]]
"""Of each epoch: seconds since the trial began, and the validation score then."""

Record = Callable[[Job, Clock, Reached], None]


def search(bench: Bench, jobs: Sequence[Job], precision: str, record: Record) -> None:
    """An Optuna study whose trials are `jobs`, in their order."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")

    def objective(trial: optuna.Trial) -> float:
        clock, job = Clock(), jobs[trial.number]
        keras.utils.clear_session()
        folds = []
        for fold in bench.folds:
            model = build(bench, job, precision)
            folds.append(fit(model, bench, fold, job.epochs, clock))
        reached = list(scores(bench, folds))
        record(job, clock, reached)
        return max(score for _, score in reached)

    study.optimize(objective, n_trials=len(jobs), gc_after_trial=True)


def build(bench: Bench, job: Job, precision: str) -> Any:
    """The compiled network of a job, from images [N, S, S, 3] in 0..255 to class probabilities."""
    settings, seed = job.settings, job.seed
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    config, random = bench.config.backbone(bench.backbone), settings.init == "random"
    backbone = build_backbone(bench.backbone, config, precision=precision, random=random, seed=seed)
    backbone.freeze(settings.keep, settings.freeze_depth, train_batchnorm=bench.config.train.train_batchnorm)
    x = inputs = keras.Input(backbone.output_shape(0))
    for layer in augmentation(settings.views):
        x = layer(x)
    features = backbone.taps(0, settings.blocks)(x)
    x = read_out(features if isinstance(features, list) else [features], settings.pooling)
    # Keras's momentum of 0.99 takes hundreds of steps to forget where it began; deep trials have fewer.
    x = layers.BatchNormalization(momentum=0.9, center=False, scale=False)(x)
    x = layers.Dropout(DROPOUT if settings.dropout is None else settings.dropout)(x)
    classes = len(bench.trainer.cell.packed.classes)
    model = keras.Model(inputs, layers.Dense(classes, activation="softmax", dtype="float32", name="head")(x))
    model.compile(optimizer(bench, job), "sparse_categorical_crossentropy")
    return model


def augmentation(views: str) -> list[Any]:
    """Keras's layers that come nearest to a set of views."""
    if views.startswith("crops"):
        return [layers.RandomFlip("horizontal"), layers.RandomZoom((-0.4, 0)), layers.RandomBrightness(0.1)]
    return {
        "identity": [],
        "mirror": [layers.RandomFlip("horizontal")],
        "flips": [layers.RandomFlip()],
        "dihedral": [layers.RandomFlip(), layers.RandomRotation(0.5)],
    }[views]


def optimizer(bench: Bench, job: Job) -> Any:
    """Adam, with a rate of its own for thawed blocks; both warm up if there are any, and fall along a cosine."""
    epoch = -(-len(bench.folds[0][0]) // bench.config.train.batch_size)
    steps, warmup = job.epochs * epoch, round(bench.config.train.warmup * epoch)
    if not job.settings.thaw:
        return Adam(CosineDecay(HEAD_RATE, steps))

    def rate(peak: float) -> Any:
        return CosineDecay(0.0, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup)

    rates = OptimizerMap(Adam(rate(job.settings.backbone_learning_rate)))
    rates["head/.*"] = Adam(rate(job.settings.head_learning_rate))
    return MultiOptimizer(rates)


def fit(
    model: Any, bench: Bench, fold: Fold, epochs: int, clock: Clock, callbacks: Sequence[Any] = ()
) -> list[tuple[float, NDArray[np.float32]]]:
    """Train on one fold: of each epoch, seconds on `clock` and the predictions for the validation rows.

    There is no `validation_data` beside them: it would run the same images through the network a second time.
    """
    packed, train = bench.trainer.cell.packed, bench.config.train
    (x, y), (unseen, truth) = [(np.asarray(packed.images[rows]), packed.labels[rows]) for rows in fold]
    names = np.unique(y)
    weights = compute_class_weight("balanced", classes=names, y=y) if train.class_weights else np.ones(len(names))
    predictions = []

    def predict(_: int, logs: dict[str, float]) -> None:
        predicted = model.predict(unseen, verbose=0)
        logs[SCORE] = balanced_accuracy_score(truth, predicted.argmax(axis=1))
        predictions.append((clock.seconds, predicted))

    model.fit(
        x,
        y,
        batch_size=train.batch_size,
        epochs=epochs,
        class_weight=dict(zip(names.tolist(), weights.tolist(), strict=True)),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=predict), *callbacks],
        verbose=0,
    )
    return predictions


def scores(bench: Bench, folds: Sequence[Sequence[tuple[float, NDArray[np.float32]]]]) -> Iterator[tuple[float, float]]:
    """Of each epoch: when its last fold was predicted, and the balanced accuracy over the rows of all folds."""
    labels = bench.trainer.cell.packed.labels[bench.trainer.cell.validation_rows]
    for epoch in zip(*folds, strict=True):
        predicted = np.concatenate([values for _, values in epoch]).argmax(axis=1)
        yield epoch[-1][0], balanced_accuracy_score(labels, predicted)
