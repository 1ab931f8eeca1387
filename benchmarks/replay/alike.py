"""How much trials of a study differ, and how much chance adds on one image: what statistics.judged.ALIKE rests on.

    python -m benchmarks.replay.alike --table docs/results/curves

In every cell each network at its best epoch, but those from random weights, is compared with the mean of the best eight
heads, test image by test image. Prints the standard deviation of networks' accuracies about theirs, less what chance
explains, that of the difference on one image, and the square of the second over the first: on so many images chance is
as large as what networks differ by.
"""

from pathlib import Path

import numpy as np

from ..curves.variants import BASE
from ..measuring import RESULTS, Option, parse
from .__main__ import read_worlds
from .invented import invent
from .world import World

_HEADS = 8


def main() -> None:
    options = parse(__doc__, table=Option(RESULTS / "curves", kind=Path, help="a folder that benchmarks.curves wrote"))
    folder = invent(options.work / "invented") if options.smallest else options.table
    between, within = np.mean([_variances(world) for world in read_worlds(folder, BASE, "")], axis=0)
    print(f"between networks {100 * max(between, 0) ** 0.5:.2f} points, on one image {within**0.5:.3f}: ", end="")
    print(f"{within / between:.0f} images" if between > 0 else "networks differ by chance alone")


def _variances(world: World) -> tuple[float, float]:
    """Of accuracies of networks about the best heads', without chance; and of the difference on one image."""
    heads = sorted(world.heads.values(), key=lambda known: -known.score_of_all)[:_HEADS]
    usual = np.mean([known.right[0] for known in heads], axis=0)
    networks = [known for known in world.thawed.values() if known.settings.init == "pretrained"]
    differences = np.stack([known.right[known.best_epoch(len(known.losses)) - 1] - usual for known in networks])
    within = float(differences.var(axis=1).mean())
    return float(differences.mean(axis=1).var()) - within / differences.shape[1], within


if __name__ == "__main__":
    main()
