"""What the table holds, at a glance."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from frostline.training.settings import GROUPS

from .table import Curve


def test_scores(curve: Curve, kind: str = "") -> np.ndarray:
    """Balanced accuracy [E] on test images after each epoch."""
    labels = curve.arrays["test_labels"]
    right = np.unpackbits(curve.arrays[f"{kind}right"], axis=1, count=len(labels))
    return np.mean([right[:, labels == name].mean(axis=1) for name in np.unique(labels)], axis=0)


def summary(curves: Iterable[Curve]) -> pd.DataFrame:
    """Per data set and size: the best test score of each depth group, as a mean over seeds, epochs and minutes."""
    rows = [
        {
            "cell": f"{curve.cell.dataset}-{curve.cell.per_class}",
            "seed": curve.cell.seed,
            "group": curve.group,
            "best": test_scores(curve).max(initial=0),
            "minutes": curve.facts["seconds"] / 60,
        }
        for curve in curves
    ]
    table = pd.DataFrame(rows)
    best = table.groupby(["cell", "group", "seed"])["best"].max().groupby(level=[0, 1]).mean().unstack()
    best = best.reindex(columns=[group for group in GROUPS if group in best])
    minutes = table.groupby("cell")["minutes"].sum().round(1)
    return best.map("{:.3f}".format).assign(curves=table.groupby("cell").size(), minutes=minutes).reset_index()
