"""A search as people write it themselves: Keras and Optuna (TPE, median pruner), a hold-out, and the clock."""

import time
from functools import partial
from typing import Any

import keras
import numpy as np
import optuna
from keras.optimizers import AdamW

from frostline.data.arrays import Rows

from ..search_cost.plain import augmentation
from ..study import Task
from .recipes import Fitted, build, divided, fit

EPOCHS, PATIENCE = 20, 5
RATES = (1e-5, 1e-3)  # one rate trains the head and what is thawed, which a higher one would wreck
REFITS, GUESSING = 3, 0.95  # a loss above this share of log K is that of a network that guesses


def optuna_search(task: Task, seconds: float) -> Fitted:
    """The best trial of those that `seconds` allow, trained again on all images for the epochs that served it best.

    That last training is on top of the seconds. A trial that they cut short counts with the epochs that it has. High
    rates wreck pretrained blocks in some runs and not in others: where that happens to the last training, it begins
    anew from another seed, twice at most.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    training, held_out = divided(task)
    ends = time.monotonic() + seconds
    sampler = optuna.samplers.TPESampler(seed=task.key.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=optuna.pruners.MedianPruner())

    def objective(trial: optuna.Trial) -> float:
        keras.utils.clear_session()
        model, judge = compiled(task, trial, task.key.seed), Judge(trial, ends)
        told = (task.images(held_out), task.packed.labels[held_out])
        stopping = keras.callbacks.EarlyStopping(patience=PATIENCE)
        history = _fit(task, model, training, EPOCHS, [judge, stopping], validation_data=told).history
        if judge.pruned:
            raise optuna.TrialPruned
        best = int(np.argmin(history["val_loss"]))
        trial.set_user_attr("epochs", best + 1)
        return float(history["val_accuracy"][best])

    study.optimize(objective, timeout=seconds, gc_after_trial=True)
    best, count = study.best_trial, len(study.trials)
    for refit in range(REFITS):
        keras.utils.clear_session()
        model = compiled(task, optuna.trial.FixedTrial(best.params), seed=task.key.seed + refit)
        loss = _fit(task, model, task.rows, best.user_attrs["epochs"]).history["loss"][-1]
        if loss < GUESSING * np.log(task.classes):
            break
    chosen = ", ".join(f"{name}={_shown(value)}" for name, value in best.params.items())
    settings = f"{count} trials: {chosen}, epochs={best.user_attrs['epochs']}, refits={refit + 1}"
    return Fitted(partial(model.predict, verbose=0), settings)


def compiled(task: Task, trial: optuna.trial.BaseTrial, seed: int) -> keras.Model:
    """The network that a trial asks for: how many blocks are frozen, rates, and augmentation."""
    keras.utils.set_random_seed(seed)
    backbone = task.backbone()
    frozen = trial.suggest_int("frozen", 0, backbone.depth)
    rate = trial.suggest_float("learning_rate", *RATES, log=True)
    decay = trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)
    dropout = trial.suggest_float("dropout", 0.0, 0.6)
    views = trial.suggest_categorical("augmentation", list(task.config.search.views))
    backbone.freeze(backbone.depth, frozen)
    model = build(backbone, task.classes, dropout=dropout, augmentation=augmentation(views))
    model.compile(AdamW(rate, weight_decay=decay), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Judge(keras.callbacks.Callback):
    """Reports each epoch to `trial`, and ends the training where that is pruned or the time is over."""

    def __init__(self, trial: optuna.Trial, ends: float) -> None:
        super().__init__()
        self._trial, self._ends = trial, ends
        self.pruned = False

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self._trial.report(logs["val_accuracy"], epoch)
        self.pruned = self._trial.should_prune()
        if self.pruned or time.monotonic() >= self._ends:
            self.model.stop_training = True


def _fit(task: Task, model: keras.Model, rows: Rows, epochs: int, callbacks: Any = (), **others: Any) -> Any:
    return fit(task, model, rows, task.config.train.batch_size, epochs, callbacks, **others)


def _shown(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
