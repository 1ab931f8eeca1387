"""AdamW with one learning rate for the head and one for thawed blocks, all of whose settings are variables."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from frostline.training.settings import TrialSettings

__all__ = ["GroupedAdamW", "schedule"]


def schedule(step: Any, steps: Any, warmup: Any) -> Any:
    """The share of its peak that a learning rate has at `step`, from 0.

    It rises linearly over `warmup` steps, then falls to zero along a cosine until `steps` (Loshchilov and Hutter 2017,
    arXiv 1608.03983), without which the last steps' noise would decide what a small cell's model is.
    """
    rising = (step + 1) / ops.maximum(warmup, 1.0)
    progress = ops.clip((step - warmup) / ops.maximum(steps - warmup, 1.0), 0.0, 1.0)
    return ops.where(step < warmup, rising, 0.5 * (1 + ops.cos(3.141592653589793 * progress)))


class GroupedAdamW(keras.optimizers.Adam):  # type: ignore[misc]
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) on two groups of variables with learning rates of their own.

    Each group is updated as an AdamW alone would: the rate multiplies Adam's step, not the gradient, which Adam's
    normalisation would undo. Only the head's weights decay: decay towards zero would undo pretrained weights, which
    their small rate holds in place. Rates, decay and schedule are variables, so that one compiled network serves every
    trial of its shape; `configure` sets them.
    """

    def __init__(self, in_head: Callable[[Any], bool]) -> None:
        super().__init__(learning_rate=1.0)
        self._in_head = in_head
        self.head_rate = self._setting("head_rate")
        self.backbone_rate = self._setting("backbone_rate")
        self.head_decay = self._setting("head_decay")
        self.steps = self._setting("steps")
        self.warmup = self._setting("warmup")
        self._settings = {id(v) for v in (self.head_rate, self.backbone_rate, self.head_decay, self.steps, self.warmup)}

    def build(self, variables: Any) -> None:
        """Note which variables are the head's: updates see the backend's own, which have no path; called by Keras."""
        super().build(variables)
        self._of_head = [self._in_head(variable) for variable in variables]

    def configure(self, settings: TrialSettings, steps: int, warmup: int) -> None:
        """Forget all moments and start a schedule of `steps` steps, of which `warmup` rise."""
        for variable in self.variables:
            if id(variable) not in self._settings:
                variable.assign(ops.zeros(variable.shape, variable.dtype))
        self.learning_rate = 1.0
        self.head_rate.assign(settings.head_learning_rate)
        self.backbone_rate.assign(settings.backbone_learning_rate)
        self.head_decay.assign(settings.weight_decay)
        self.steps.assign(steps)
        self.warmup.assign(warmup)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable by its group's rate; called by Keras."""
        share = learning_rate * schedule(ops.cast(self.iterations, "float32"), self.steps, self.warmup)
        if self._of_head[self._get_variable_index(variable)]:
            rate = share * self.head_rate
            self.assign_sub(variable, variable * self.head_decay * rate)
        else:
            rate = share * self.backbone_rate
        super().update_step(gradient, variable, rate)

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> list[tuple[Any, Any]]:
        """What Keras does here under TensorFlow is for its distribution strategies, and holds every graph for good."""
        return [(gradient, variable) for gradient, variable in grads_and_vars if gradient is not None]

    def _setting(self, name: str) -> Any:
        variable = keras.Variable(0.0, name=name, trainable=False, dtype="float32")
        self._track_variable(variable)
        return variable
