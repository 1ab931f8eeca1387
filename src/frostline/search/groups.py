"""What a study found of each depth group, and what it left undecided."""

from collections.abc import Sequence
from statistics import median

from optuna.trial import FrozenTrial, TrialState

from frostline.records.train_record import GroupResult
from frostline.search.trials import COST, SETTINGS, SETTLED, STANDARD_ERROR, brier_of, settings_of
from frostline.training.settings import GROUPS, DepthGroup, group_of
from frostline.training.trial import Trainer

__all__ = ["group_results"]

_USUAL_EPOCHS = 15
"""After which a trial has settled, where a study says nothing of it: a guess."""


def group_results(finished: Sequence[FrozenTrial], trainer: Trainer) -> tuple[GroupResult, ...]:
    """The result of each group, the cheapest first; of one that has no trial too, unless the backbone has no such."""
    trials = [trial for trial in finished if SETTINGS in trial.user_attrs]
    return tuple(_result(group, trials, trainer) for group in GROUPS if _exists(group, trainer.backbone.depth))


def _exists(group: DepthGroup, depth: int) -> bool:
    return depth >= {"last block": 2, "some blocks": 3}.get(group, 1)


def _result(group: DepthGroup, trials: Sequence[FrozenTrial], trainer: Trainer) -> GroupResult:
    own = [trial for trial in trials if group_of(settings_of(trial)) == group]
    complete = [trial for trial in own if trial.state == TrialState.COMPLETE]
    best = min(complete, key=brier_of, default=None)
    decided = any(
        trial.user_attrs.get(SETTLED, True) for trial in own if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    )
    return GroupResult(
        group=group,
        trials=len(own),
        score=best.values[0] if best else None,
        standard_error=best.user_attrs[STANDARD_ERROR] if best else None,
        decided=decided,
        minutes=None if decided else _minutes(group, own, trials, trainer),
    )


def _minutes(
    group: DepthGroup, own: Sequence[FrozenTrial], trials: Sequence[FrozenTrial], trainer: Trainer
) -> float | None:
    """What it takes to train the group's furthest trial, or its first, for as long as others took to settle.

    By the seconds that an image trained through every block took in this study; None where none was.
    """
    thawed = [trial for trial in trials if trial.user_attrs.get(COST)]
    images = sum(trial.user_attrs[COST] for trial in thawed)
    if not images:
        return None
    pace = sum(trial.duration.total_seconds() for trial in thawed if trial.duration) / images
    settled = [len(trial.user_attrs["history"]) for trial in thawed if trial.user_attrs.get(SETTLED)]
    epochs = max(_USUAL_EPOCHS, median(settled) if settled else 0)
    trained = max((len(trial.user_attrs["history"]) for trial in own), default=0)
    each = trainer.cell.training_images / len(trainer.cell.folds) * _share(group, trainer)
    return float(max(epochs - trained, 1) * each * pace / 60)


def _share(group: DepthGroup, trainer: Trainer) -> float:
    flops = trainer.backbone.flops_per_block()
    first = {"last block": len(flops) - 1, "some blocks": len(flops) // 2}.get(group, 0)
    return sum(flops[first:]) / sum(flops)
