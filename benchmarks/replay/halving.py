"""Successive halving and Hyperband over networks, after every head."""

import math

from .policies import PATIENCE, Policy, Rng, shuffled
from .world import Known, Ledger, World


def successive_halving(world: World, ledger: Ledger, rng: Rng, most: float) -> None:
    """Every head; then all thawed settings for an epoch, the better third for 3, of these a third for 9, and so on."""
    _every_head(world, ledger, rng, most)
    _halve(list(world.thawed.values()), 1, ledger, {}, most)


def hyperband(world: World, ledger: Ledger, rng: Rng, most: float) -> None:
    """Every head; then successive halving of a random third each, from 1, 3 and 9 epochs on (Li et al. 2018)."""
    _every_head(world, ledger, rng, most)
    order = shuffled(list(world.thawed.values()), rng)
    for bracket in range(3):
        _halve(order[bracket::3], 3**bracket, ledger, {}, most)


def _every_head(world: World, ledger: Ledger, rng: Rng, most: float) -> None:
    for known in shuffled(list(world.heads.values()), rng):
        if ledger.spent < most:
            ledger.fit(known)
            ledger.offer(known.scores[0], known.tests[0])


def _halve(rung: list[Known], epochs: int, ledger: Ledger, trained: dict[str, int], most: float) -> None:
    while rung:
        losses = {}
        for known in rung:
            if ledger.spent >= most:
                return
            ledger.see(known)
            reached = min(epochs, known.settled_after(PATIENCE))
            ledger.train(known, reached - trained.get(known.name, 0))
            trained[known.name] = reached
            best = known.best_epoch(reached) - 1
            losses[known.name] = known.losses[best]
            ledger.offer(known.scores[best], known.tests[best])
        if all(trained[known.name] < epochs for known in rung):
            return
        rung = sorted(rung, key=lambda known: losses[known.name])[: math.ceil(len(rung) / 3)]
        epochs *= 3


HALVING: dict[str, Policy] = {"successive halving": successive_halving, "Hyperband": hyperband}
