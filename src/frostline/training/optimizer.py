"""Adam with one learning rate for the head and one for thawed blocks, all of whose settings are variables."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from frostline.training.settings import TrialSettings

__all__ = ["GroupedAdam"]

_RECENT = 8.0


class GroupedAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam (Kingma and Ba 2015, arXiv 1412.6980) on two groups of variables with learning rates of their own.

    Each group is updated as an Adam alone would: the rate multiplies Adam's step, not the gradient, which Adam's
    normalisation would undo. Rates rise linearly over a warm-up and are constant then. `averaged` shows the weights'
    average over the steps, in which the last ninth of them counts for most: polynomial-decay averaging (Shamir and
    Zhang 2013, arXiv 1212.1824, section 4). It serves as a falling rate would, but at every step, so that training may
    be judged, and ended, anywhere. Rates and warm-up are variables, so that one compiled network serves every trial of
    its shape; `configure` sets them.
    """

    def __init__(self, in_head: Callable[[Any], bool]) -> None:
        super().__init__(learning_rate=1.0, use_ema=True)
        self._in_head = in_head
        self.head_rate = self._setting("head_rate")
        self.backbone_rate = self._setting("backbone_rate")
        self.warmup = self._setting("warmup")
        self._settings = {id(v) for v in (self.head_rate, self.backbone_rate, self.warmup)}

    def build(self, variables: Any) -> None:
        """Note which variables are the head's: updates see the backend's own, which have no path; called by Keras."""
        super().build(variables)
        self._of_head = [self._in_head(variable) for variable in variables]

    def configure(self, settings: TrialSettings, warmup: int) -> None:
        """Forget all moments, average from the weights as they are, and let rates rise over `warmup` steps."""
        for variable in self.variables:
            if id(variable) not in self._settings:
                variable.assign(ops.zeros(variable.shape, variable.dtype))
        for variable, average in self._averages():
            average.assign(ops.copy(variable))
        self.learning_rate = 1.0
        self.head_rate.assign(settings.head_learning_rate)
        self.backbone_rate.assign(settings.backbone_learning_rate)
        self.warmup.assign(warmup)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """While it lasts, the trained variables have their averages for values."""
        own = [ops.copy(variable) for variable, _ in self._averages()]
        for variable, average in self._averages():
            variable.assign(ops.copy(average))  # JAX deletes what a network was run with
        try:
            yield
        finally:
            for (variable, _), value in zip(self._averages(), own, strict=True):
                variable.assign(value)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable by its group's rate; called by Keras."""
        step = ops.cast(self.iterations, "float32") + 1
        share = learning_rate * ops.minimum(step / ops.maximum(self.warmup, 1.0), 1.0)
        of_head = self._of_head[self._get_variable_index(variable)]
        super().update_step(gradient, variable, share * (self.head_rate if of_head else self.backbone_rate))

    def _update_model_variables_moving_average(self, trainable_variables: Any) -> None:  # as Keras calls it
        """Keras's own has a constant weight, which is either too long for few steps or too short for many."""
        step = ops.cast(self.iterations, "float32") + 1
        share = (_RECENT + 1) / (step + _RECENT)
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            average.assign(average + share * (variable - average))

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> list[tuple[Any, Any]]:
        """What Keras does here under TensorFlow is for its distribution strategies, and holds every graph for good."""
        return [(gradient, variable) for gradient, variable in grads_and_vars if gradient is not None]

    def _averages(self) -> Iterator[tuple[Any, Any]]:
        return zip(self._trainable_variables, self._model_variables_moving_average, strict=True)

    def _setting(self, name: str) -> Any:
        variable = keras.Variable(0.0, name=name, trainable=False, dtype="float32")
        self._track_variable(variable)
        return variable
