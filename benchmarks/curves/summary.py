"""What the table holds, at a glance."""

from collections.abc import Iterable

import pandas as pd

from frostline.training.settings import GROUPS

from .table import Curve


def summary(curves: Iterable[Curve]) -> pd.DataFrame:
    """Per data set and size: the best test score of each depth group, as a mean over seeds, epochs and minutes."""
    rows = [
        {
            "cell": f"{curve.cell.dataset}-{curve.cell.per_class}",
            "seed": curve.cell.seed,
            "group": curve.group,
            "best": curve.test_scores().max(initial=0),
            "minutes": curve.facts["seconds"] / 60,
        }
        for curve in curves
    ]
    table = pd.DataFrame(rows)
    best = table.groupby(["cell", "group", "seed"])["best"].max().groupby(level=[0, 1]).mean().unstack()
    best = best.reindex(columns=[group for group in GROUPS if group in best])
    minutes = table.groupby("cell")["minutes"].sum().round(1)
    return best.map("{:.3f}".format).assign(curves=table.groupby("cell").size(), minutes=minutes).reset_index()
