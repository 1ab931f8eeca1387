"""What each choice of how frostline trains and chooses is worth, by the table of learning curves.

    python -m benchmarks.choices --table docs/results/curves

Two ways are compared in every cell that has both: other settings, another way to train, weights averaged over steps,
the Brier score to choose by. A network counts with its test score at the epoch of its lowest validation loss on the
first fold. Shown is the difference in points of test balanced accuracy, mean over cells with a 95% interval by
bootstrap over them, and that of small and large cells alone.

A second table has the guide's four strategies and the best of each depth group, chosen by validation, in each data set
at each size: test balanced accuracy, mean over seeds.

Says too on how many images chance is as large as what networks differ by (statistics.judged.ALIKE): each at its best
epoch, but those from random weights, less the mean of the best eight heads, test image by test image.

Writes `choices.csv` and `strategies.csv`, and prints both tables.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.statistics.brier import brier_score
from frostline.statistics.temperature import fit_temperature
from frostline.training.settings import GROUPS

from .curves.table import Curve, Table, balanced
from .curves.variants import BASE, COMPRESSED, VARIANTS
from .measuring import RESULTS, Option, describe, markdown_table, parse
from .replay.__main__ import read_worlds, shown
from .replay.invented import invent
from .replay.world import Known, World

SETTINGS = {
    "last block, head on block 5: rate 1e-4, not 3e-5": ("last-5-fast", "last-5"),
    "last block, head on block 5: rate 1e-5, not 3e-5": ("last-5-slow", "last-5"),
    "last block, head on all blocks: rate 1e-4, not 3e-5": ("last-all-fast", "last-all"),
    "all blocks, head on block 5: rate 1e-4, not 3e-5": ("all-fast", "all"),
    "all blocks, head on block 5: rate 1e-5, not 3e-5": ("all-slow", "all"),
    "all blocks, head on all blocks: rate 1e-4, not 3e-5": ("all-all-fast", "all-all"),
    "last block: head on all blocks, not on block 5": ("last-all-fast", "last-5-fast"),
    "all blocks: head on all blocks, not on block 5": ("all-all", "all"),
    "last block, head on block 5: crops, not mirrored": ("last-5-crops", "last-5"),
    "last block, head on all blocks: crops, not mirrored": ("last-all-crops", "last-all-fast"),
}
STRATEGIES = {"end_of_convnet": "head-5-{}", "start_of_convnet": "head-4-{}", "fine_tune": "all", "retrain": "random"}
HEADS = 8


def main() -> None:
    options = parse(__doc__, table=Option(RESULTS / "curves", kind=Path, help="a folder that benchmarks.curves wrote"))
    folder = invent(options.work / "invented") if options.smallest else options.table
    worlds = {str(world.cell): world for world in read_worlds(folder, BASE, "")}
    if not worlds:
        raise SystemExit(f"{folder} holds no whole cell: python -m benchmarks.curves makes it")
    differences = {name: dict(_differences(worlds, *pair)) for name, pair in SETTINGS.items()}
    raw = {str(world.cell): world for world in read_worlds(folder, BASE, "raw_")}
    differences["weights averaged over steps, not as they are"] = dict(_between(worlds, raw))
    for variant in VARIANTS:
        others = {str(world.cell): world for world in read_worlds(folder, variant, "")} if variant != BASE else {}
        if others:
            differences[f"variant {variant}"] = dict(_between(others, worlds))
    differences["a head on compressed features, not on features as they are"] = dict(_compressed(folder, worlds))
    for name, among in {"a head": _heads, "a head or a last block": _judged_by_all}.items():
        better = {cell: _chosen(among(world), _merit) - _chosen(among(world), _score) for cell, world in worlds.items()}
        differences[f"{name} chosen by Brier score, not by balanced accuracy"] = better
    for group in GROUPS[1:-1]:
        begun = {cell: world for cell, world in worlds.items() if _group(world, group)}
        deeper = {cell: _best_of(world, group) - _best_of(world, GROUPS[0]) for cell, world in begun.items()}
        differences[f"best of {group}, not of heads"] = deeper
    table = pd.DataFrame([_row(name, found, worlds) for name, found in differences.items() if found])
    table.to_csv(options.output / "choices.csv", index=False)
    strategies = pd.DataFrame([_strategies(world) for world in worlds.values()])
    strategies = strategies.groupby(["data set", "a class"]).mean().round(3).reset_index()
    strategies.to_csv(options.output / "strategies.csv", index=False)
    between, within = np.mean([_variances(world) for world in worlds.values()], axis=0)
    alike = f"{within / between:.0f} images" if between > 0 else "nothing"
    spread = f"Networks differ by {100 * max(between, 0) ** 0.5:.1f} points, on one image by {within**0.5:.2f}: {alike}"
    print(markdown_table(table), markdown_table(strategies), spread, describe(), sep="\n\n")


def _differences(worlds: Mapping[str, World], name: str, other: str) -> Iterator[tuple[str, float]]:
    """By cell, in points: of one setting less another."""
    for cell, world in worlds.items():
        if {name, other} <= set(world.thawed) and world.thawed[name].settings != world.thawed[other].settings:
            yield cell, 100 * (_test(world.thawed[name]) - _test(world.thawed[other]))


def _between(worlds: Mapping[str, World], others: Mapping[str, World]) -> Iterator[tuple[str, float]]:
    """By cell, in points: of networks less those of the same settings in other worlds, the mean over settings."""
    for cell in sorted(set(worlds) & set(others)):
        own, theirs = worlds[cell].thawed, others[cell].thawed
        both = sorted(set(own) & set(theirs))
        yield cell, 100 * float(np.mean([_test(own[name]) - _test(theirs[name]) for name in both]))


def _compressed(folder: Path, worlds: Mapping[str, World]) -> Iterator[tuple[str, float]]:
    """By cell, in points: of heads on compressed features less the same heads without, fitted to all of the cell."""
    found: dict[str, list[float]] = {}
    for curve in Table(folder).curves():
        cell = str(curve.cell)
        if curve.variant == COMPRESSED and cell in worlds and curve.name in worlds[cell].heads:
            plain = worlds[cell].heads[curve.name].curve
            found.setdefault(cell, []).append(_fitted_to_all(curve) - _fitted_to_all(plain))
    for cell, gains in found.items():
        yield cell, float(np.mean(gains))


def _fitted_to_all(head: Curve) -> float:
    """The test score, in points, of a head that was fitted to all images of its cell."""
    return 100 * float(balanced(head.arrays["test_margins"][1] > 0, head.arrays["test_labels"]))


def _test(known: Known) -> float:
    return float(known.tests[known.best_epoch(len(known.losses)) - 1])


def _heads(world: World) -> Sequence[Known]:
    return list(world.heads.values())


def _judged_by_all(world: World) -> Sequence[Known]:
    """Those that all folds have judged."""
    return [*_heads(world), *(known for known in world.thawed.values() if known.margins.shape[1] == world.images)]


def _chosen(among: Sequence[Known], merit: Callable[[Known], float]) -> float:
    """The test score, in points, of whoever has the highest merit."""
    return 100 * _test(max(among, key=merit))


def _answers(known: Known) -> NDArray[np.float64]:
    """Margins [R, N] of validation images: of a head in every draw of folds, of a network at its best epoch."""
    if known.is_head:
        return known.curve.arrays["margins"].astype(np.float64)
    place = known.best_epoch(len(known.losses)) - 1
    return known.margins[place : place + 1]


def _score(known: Known) -> float:
    return float(balanced((_answers(known) > 0).mean(axis=0), known.labels))


def _merit(known: Known) -> float:
    """One less the Brier score."""
    odds = _answers(known)
    certainty = 1 / (1 + np.exp(-odds))
    both = np.stack([certainty.ravel(), 1 - certainty.ravel()], axis=1)
    certainty = 1 / (1 + np.exp(-odds / fit_temperature(np.zeros(len(both), dtype=np.int64), both)))
    return 1 - brier_score(certainty.mean(axis=0), known.labels[: odds.shape[1]])


def _row(name: str, found: Mapping[str, float], worlds: Mapping[str, World]) -> dict[str, object]:
    values = np.array(list(found.values()))
    small = np.array([worlds[cell].images for cell in found]) == min(world.images for world in worlds.values())
    sides = {
        side: f"{values[of].mean():+.1f}" if of.any() else "" for side, of in (("small", small), ("large", ~small))
    }
    return {"choice": name, "cells": len(values), "points": shown(values), **sides}


def _group(world: World, group: str) -> Sequence[Known]:
    return [each for each in world.all.values() if each.group == group]


def _best_of(world: World, group: str) -> float:
    return _chosen(_group(world, group), _merit)


def _strategies(world: World) -> dict[str, object]:
    """Of what a cell's part of the table has, which may be in the making."""
    views = next(iter(world.thawed.values())).settings.views
    known = {strategy: world.all.get(name.format(views)) for strategy, name in STRATEGIES.items()}
    return (
        {"data set": world.cell.dataset, "a class": world.cell.per_class}
        | {strategy: _test(each) if each else np.nan for strategy, each in known.items()}
        | {f"best of {each}": _best_of(world, each) / 100 for each in GROUPS[:-1] if _group(world, each)}
    )


def _variances(world: World) -> tuple[float, float]:
    """Of networks' accuracies about the best heads', without chance; and of the difference on one image."""
    heads = sorted(_heads(world), key=lambda known: -known.score_of_all)[:HEADS]
    usual = np.mean([known.right[0] for known in heads], axis=0)
    networks = [known for known in world.thawed.values() if known.settings.init == "pretrained"]
    differences = np.stack([known.right[known.best_epoch(len(known.losses)) - 1] - usual for known in networks])
    within = float(differences.var(axis=1).mean())
    return float(differences.mean(axis=1).var()) - within / differences.shape[1], within


if __name__ == "__main__":
    main()
