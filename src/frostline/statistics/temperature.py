"""Temperature scaling: one number that makes a network's probabilities mean what they say.

Guo et al. 2017, On Calibration of Modern Neural Networks (arXiv 1706.04599), section 4.2: logits are divided by a
temperature, fitted on images that the network was not trained on. Which class is the likeliest does not change.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_temperature", "soften", "with_temperature"]

_RANGE = (0.1, 10.0)
_LEAST = 1e-30


def fit_temperature(labels: NDArray[np.int64], probabilities: NDArray[np.floating[Any]]) -> float:
    """The temperature in [0.1, 10] that makes `labels` [N] likeliest under `probabilities` [N, K].

    Above 1 the network was too sure of itself, below 1 not sure enough. Its logarithm has a standard normal prior,
    worth a fraction of an image: without one, labels that are all right would call for certainty itself.

    A network that is wrong, and very sure of it, once in four times:

    >>> probabilities = np.array([[0.99, 0.01], [0.01, 0.99], [0.01, 0.99], [0.4, 0.6]])
    >>> round(fit_temperature(np.array([0, 1, 0, 1]), probabilities), 1)
    2.6
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    logits = np.log(np.maximum(probabilities.astype(np.float64), _LEAST))
    right = logits[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float(np.sum(logsumexp(scale * logits, axis=1) - scale * right)) + log_temperature**2 / 2

    return float(np.exp(minimize_scalar(loss, bounds=np.log(_RANGE), method="bounded").x))


def with_temperature(probabilities: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.float64]:
    """`probabilities` [N, K] as they are when their logits are divided by `temperature`; of sum 1."""
    from scipy.special import softmax

    scaled: NDArray[np.float64] = softmax(
        np.log(np.maximum(probabilities.astype(np.float64), _LEAST)) / temperature, axis=1
    )
    return scaled


def soften(network: Any, temperature: float) -> None:
    """Divide the logits of a network by `temperature`, in the weights of its layer `head`.

    Whatever runs or exports the network then has calibrated probabilities, with no step that could be forgotten.
    """
    head = network.get_layer("head")
    head.set_weights([weights / temperature for weights in head.get_weights()])
