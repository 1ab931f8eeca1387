"""What people do by hand: Keras's guide, BiT's rule of thumb, and logistic regression on features of the last block."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers
from keras.optimizers import SGD, Adam
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from frostline.backbones.readout import select_pooling
from frostline.backbones.surgery import Backbone
from frostline.data.arrays import Rows

from ..study import Predict, Task

HELD_OUT = 0.2
GUIDE_BATCH, HEAD_EPOCHS, FINE_EPOCHS, FINE_RATE = 32, 20, 10, 1e-5
BIT_STEPS, BIT_RATE, BIT_BATCH, BIT_DECAYS = 500, 0.003, 512, (0.3, 0.6, 0.9)
BIT_BATCH_HERE = 32
BIT_ENLARGED = 160 / 128  # a small picture is enlarged to the one, and a box of the other is cut out
STRENGTHS = np.logspace(-5, 2, 15)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a method has made, and in words what it chose."""

    predict: Predict
    settings: str


def regression(task: Task, _: float) -> Fitted:
    """Logistic regression on the averages of the last block's features, its strength by 5-fold cross-validation."""
    backbone, labels = task.backbone(), task.packed.labels[task.rows]

    def features(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return select_pooling(backbone.pooled(backbone.depth, images), "average")

    folds = StratifiedKFold(min(5, np.bincount(labels).min()), shuffle=True, random_state=task.key.seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    grid = {"logisticregression__C": STRENGTHS}
    search = GridSearchCV(model, grid, scoring="balanced_accuracy", cv=folds)
    search.fit(features(task.images(task.rows)), labels)
    strength = search.best_params_["logisticregression__C"]
    return Fitted(lambda images: search.predict_proba(features(images)), f"C={strength:.2g}")


def keras_guide(task: Task, _: float) -> Fitted:
    """keras.io's "Transfer learning & fine-tuning", with a fifth of the images held out, as it has it, for nothing."""
    return _guide(task, *divided(task))


def keras_guide_all(task: Task, _: float) -> Fitted:
    """The same, trained on all images of the cell."""
    return _guide(task, task.rows, None)


def bit(task: Task, seconds: float) -> Fitted:
    """BiT-HyperRule (Kolesnikov et al. 2020, arXiv 1912.11370) for small sets of small pictures, within `seconds`.

    All blocks are trained, by SGD with momentum, for 500 steps; the rate falls to a tenth after 30, 60 and 90% of them,
    or of the seconds where those are fewer. Pictures are enlarged, cropped and mirrored, but where that would change
    what they show; there is no MixUp for so few, and no weight decay. The rate is scaled with the batch.
    """
    keras.utils.set_random_seed(task.key.seed)
    backbone = task.backbone()
    backbone.freeze(backbone.depth, 0)
    network = build(backbone, task.classes, dropout=0.0, zeros=True)
    x = images = keras.Input(backbone.output_shape(0))
    side = backbone.image_size
    if mirrors(task):
        x = layers.Resizing(*[round(side * BIT_ENLARGED)] * 2)(x)
        x = layers.RandomFlip("horizontal")(layers.RandomCrop(side, side)(x))
    model = keras.Model(images, network(x))
    rate = BIT_RATE * BIT_BATCH_HERE / BIT_BATCH
    model.compile(SGD(rate, momentum=0.9), "sparse_categorical_crossentropy")
    decay = Decay(rate, seconds)
    fit(task, model, task.rows, BIT_BATCH_HERE, BIT_STEPS, [decay])
    return Fitted(partial(network.predict, verbose=0), f"{decay.steps} of {BIT_STEPS} steps")


class Decay(keras.callbacks.Callback):
    """BiT's rate, by the share of its steps or of `seconds` that is over, whichever is more; ends after all of it."""

    def __init__(self, rate: float, seconds: float) -> None:
        super().__init__()
        self._rate, self._seconds = rate, seconds
        self._started = time.monotonic()
        self.steps = 0

    @property
    def _share(self) -> float:
        return max(self.steps / BIT_STEPS, (time.monotonic() - self._started) / self._seconds)

    def on_train_batch_begin(self, *_: Any, **__: Any) -> None:
        decays = sum(self._share >= part for part in BIT_DECAYS)
        self.model.optimizer.learning_rate = self._rate * 0.1**decays

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self.steps += 1
        self.model.stop_training = self._share >= 1


def build(
    backbone: Backbone, classes: int, *, dropout: float, augmentation: Any = (), zeros: bool = False
) -> keras.Model:
    """The network of Keras's guide: augmentation, the backbone in inference mode, averages, dropout, and a head."""
    x = inputs = keras.Input(backbone.output_shape(0))
    for layer in augmentation:
        x = layer(x)
    x = backbone.slice(0, backbone.depth)(x, training=False)
    x = layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = layers.Dropout(dropout, dtype="float32")(x)
    initial = "zeros" if zeros else "glorot_uniform"
    head = layers.Dense(classes, activation="softmax", kernel_initializer=initial, dtype="float32")
    return keras.Model(inputs, head(x))


def fit(task: Task, model: keras.Model, rows: Rows, batch: int, epochs: int, callbacks: Any = (), **others: Any) -> Any:
    """Keras's `fit` on `rows`."""
    images, labels = task.images(rows), task.packed.labels[rows]
    return model.fit(images, labels, batch_size=batch, epochs=epochs, callbacks=list(callbacks), verbose=0, **others)


def mirrors(task: Task) -> bool:
    """Whether the mirror image of a picture, and a part of it, show what it shows."""
    return task.config.search.views != ("identity",)


def divided(task: Task) -> tuple[Rows, Rows]:
    labels = task.packed.labels[task.rows]
    training, held_out = train_test_split(task.rows, test_size=HELD_OUT, stratify=labels, random_state=task.key.seed)
    return training, held_out


def _guide(task: Task, rows: Rows, held_out: Rows | None) -> Fitted:
    """A head on the frozen backbone, then the last block with it, as the guide fine-tunes: at a very low rate."""
    keras.utils.set_random_seed(task.key.seed)
    backbone = task.backbone()
    turned = [layers.RandomRotation(0.1)]
    augmentation = [layers.RandomFlip("horizontal"), *turned] if mirrors(task) else turned
    model = build(backbone, task.classes, dropout=0.2, augmentation=augmentation)
    told = {}
    if held_out is not None:
        told["validation_data"] = (task.images(held_out), task.packed.labels[held_out])
    for thaw, optimizer, epochs in ((0, Adam(), HEAD_EPOCHS), (1, Adam(FINE_RATE), FINE_EPOCHS)):
        backbone.freeze(backbone.depth, backbone.depth - thaw)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        fit(task, model, rows, GUIDE_BATCH, epochs, **told)
    return Fitted(partial(model.predict, verbose=0), f"{HEAD_EPOCHS} + {FINE_EPOCHS} epochs on {len(rows)} images")
