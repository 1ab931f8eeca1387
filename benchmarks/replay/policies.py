"""Ways to search, other than frostline's. Each spends on a ledger until it has tried everything or has spent `most`.

Where nothing else is said, trials are validated on the first fold alone, as a hold-out, and a network is trained until
`PATIENCE` epochs in a row have not lowered its validation loss, of whose epochs the one of the lowest loss is used.
"""

from collections.abc import Callable, Sequence

import numpy as np
import optuna

from ..curves.table import balanced
from .world import Known, Ledger, World

PATIENCE = 5
OLD_TRIALS, OLD_BUDGET = 12, 200.0
STARTUP = 5
Rng = np.random.Generator
Policy = Callable[[World, Ledger, Rng, float], None]


def random_search(world: World, ledger: Ledger, rng: Rng, most: float) -> None:
    """Every setting alike, in random order."""
    for known in shuffled(list(world.all.values()), rng):
        if ledger.spent >= most:
            return
        _train_to_its_end(known, ledger)


def tpe_with_median_pruner(world: World, ledger: Ledger, rng: Rng, most: float) -> None:
    """Optuna's, on the depth group and then on what there is of it; pruned where an epoch's score is below the median.

    A setting that is proposed again costs nothing, and is told to the sampler again.
    """
    groups: dict[str, list[str]] = {}
    for name, known in world.all.items():
        groups.setdefault(known.group, []).append(name)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=int(rng.integers(2**31))),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
    )
    trained: dict[str, int] = {}
    for _ in range(3 * len(world.all)):
        if ledger.spent >= most:
            return
        trial = study.ask()
        group = trial.suggest_categorical("group", list(groups))
        known = world.all[trial.suggest_categorical(group, groups[group])]
        state = _report(known, trial, ledger, trained)
        epochs = trained[known.name]
        score = known.scores[known.best_epoch(epochs) - 1]
        study.tell(trial, None if state == optuna.trial.TrialState.PRUNED else score, state)


def old_default(world: World, ledger: Ledger, rng: Rng, most: float) -> None:
    """frostline's before this table, as near as it comes to it.

    Twelve trials: the guide's four, then others at random; a network trains for as many epochs as 200 images through
    every block allow, at least one. Heads read one block, and none sees crops.
    """
    guide = ("head-5-identity", "head-4-identity", "all", "random")
    others = [
        known
        for name, known in world.all.items()
        if name not in guide and known.settings.views != "crops" and len(known.settings.blocks) == 1
    ]
    first = [world.all[name] for name in guide if name in world.all]
    for known in [*first, *shuffled(others, rng)][:OLD_TRIALS]:
        if ledger.spent >= most:
            return
        if known.is_head:
            ledger.fit(known)
            ledger.offer(known.scores[0], known.tests[0])
        else:
            ledger.see(known)
            epochs = max(1, min(len(known.losses), int(OLD_BUDGET / world.epoch_cost(known))))
            ledger.train(known, epochs)
            best = known.best_epoch(epochs) - 1
            ledger.offer(known.scores[best], known.tests[best])


def heads_only(world: World, ledger: Ledger, rng: Rng, most: float) -> None:
    """All heads in random order, by their scores over all folds and draws."""
    for known in shuffled(list(world.heads.values()), rng):
        if ledger.spent >= most:
            return
        ledger.fit(known, draws=len(known.curve.arrays["margins"]))
        ledger.offer(known.score_of_all, known.tests[0])


def ensemble_of_heads(world: World, ledger: Ledger, rng: Rng, most: float) -> None:
    """After every head, the ensemble that greedy selection makes of those so far (Caruana et al. 2004), of up to 10."""
    tried: list[Known] = []
    for known in shuffled(list(world.heads.values()), rng):
        if ledger.spent >= most:
            return
        ledger.fit(known, draws=len(known.curve.arrays["margins"]))
        tried.append(known)
        ledger.use(_test_of_ensemble(tried))


def _train_to_its_end(known: Known, ledger: Ledger) -> None:
    if known.is_head:
        ledger.fit(known)
        ledger.offer(known.scores[0], known.tests[0])
        return
    ledger.see(known)
    for epoch in range(1, known.settled_after(PATIENCE) + 1):
        ledger.train(known)
        best = known.best_epoch(epoch) - 1
        ledger.offer(known.scores[best], known.tests[best])


def _report(known: Known, trial: optuna.Trial, ledger: Ledger, trained: dict[str, int]) -> optuna.trial.TrialState:
    """Train, and report to Optuna after each epoch; epochs that were `trained` before cost nothing."""
    before = trained.get(known.name, 0)
    if known.is_head:
        trained[known.name] = 1
        if not before:
            ledger.fit(known)
            ledger.offer(known.scores[0], known.tests[0])
        return optuna.trial.TrialState.COMPLETE
    ledger.see(known)
    for epoch in range(1, known.settled_after(PATIENCE) + 1):
        if epoch > before:
            ledger.train(known)
        trained[known.name] = max(before, epoch)
        best = known.best_epoch(epoch) - 1
        ledger.offer(known.scores[best], known.tests[best])
        trial.report(known.scores[epoch - 1], epoch)
        if trial.should_prune():
            return optuna.trial.TrialState.PRUNED
    return optuna.trial.TrialState.COMPLETE


def _test_of_ensemble(heads: Sequence[Known], size: int = 10) -> float:
    """Test score of the average probability of those that greedy selection takes, with replacement."""
    seen = np.stack([1 / (1 + np.exp(-known.margins[0])) for known in heads])
    unseen = np.stack([1 / (1 + np.exp(-known.test_margins)) for known in heads])
    total, chosen = np.zeros(seen.shape[1]), []
    for count in range(1, size + 1):
        losses = -np.log(np.maximum((total + seen) / count, 1e-7)).mean(axis=1)
        best = int(np.argmin(losses))
        chosen.append(best)
        total += seen[best]
    return float(balanced(unseen[chosen].mean(axis=0) > 0.5, heads[0].curve.arrays["test_labels"]))


def shuffled(known: list[Known], rng: Rng) -> list[Known]:
    return [known[place] for place in rng.permutation(len(known))]


POLICIES: dict[str, Policy] = {
    "random search": random_search,
    "TPE, median pruner": tpe_with_median_pruner,
    "the default before": old_default,
    "heads only": heads_only,
    "ensemble of heads": ensemble_of_heads,
}
