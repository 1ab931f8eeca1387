"""How sure a result is that was one of several to look for."""

from collections.abc import Sequence

import numpy as np

__all__ = ["holm"]


def holm(values: Sequence[float]) -> list[float]:
    """P-values of several tests, raised so that the least of them is below a level by chance no more often than the
    level says, however the tests depend on one another (Holm 1979, Scandinavian Journal of Statistics 6).

    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    order = np.argsort(values, kind="stable")
    raised = np.array(values)[order] * np.arange(len(values), 0, -1)
    found = np.empty(len(values))
    found[order] = np.minimum(1, np.maximum.accumulate(raised))
    return [float(value) for value in found]
