"""What MLflow is told of a finished study, on its parent run."""

from collections.abc import Sequence

import pandas as pd

from frostline.provenance import fingerprint
from frostline.records.train_record import GroupResult, TrainRecord
from frostline.search.outcome import Outcome
from frostline.tracking.runs import Run

__all__ = ["log_study"]


def log_study(parent: Run, outcome: Outcome, record: TrainRecord) -> None:
    """Metrics of the winner under the names that trials use, tables of trials and groups, figures, a description."""
    cell, best = outcome.plan.cell, record.best
    parent.log_history(outcome.winner.user_attrs["history"])
    parent.log_input(
        cell.packed.index.iloc[cell.all_rows],
        name=record.cell,
        source=f"data/packed/{record.dataset}-{record.backbone}",
        digest=fingerprint({"images": record.fingerprints.data, "rows": cell.all_rows.tolist()}),
        context="training",
    )
    corrected = record.validation.corrected
    parent.log_metrics(
        {"score": record.validation.balanced_accuracy, "best_epoch": best.epochs, "seconds": record.seconds}
        | {"score_corrected": corrected.value, "score_low": corrected.low, "score_high": corrected.high}
    )
    parent.set_tags({"strategy": best.strategy, "best_trial": str(best.trial), "state": "complete"})
    parent.log_table(outcome.trials, "trials")
    _log_groups(parent, record.groups)
    for picture, figure in outcome.figures.items():
        parent.log_figure(figure, picture)
    parent.describe(
        f"{record.cell}, {record.backbone}: the regime is **{record.guide.regime}**, for which the guide recommends "
        f"{' or '.join(record.guide.recommended)}. Trial {best.trial} won with **{best.strategy}**: keep "
        f"{best.settings.keep}, freeze {best.settings.freeze_depth}; the head reads {best.reads}. Corrected for its "
        f"having been chosen, its balanced accuracy in validation is {corrected}.\n\n{_decided(record)}\n\nTo see "
        "freeze depth against score, select the runs under this one, press *Compare*, and choose the parameter "
        "`freeze_depth` and the metric `score` under *Parallel coordinates*; or look at `groups.png` and `trials.png` "
        "among the artifacts."
    )


def _log_groups(parent: Run, groups: Sequence[GroupResult]) -> None:
    """What each depth group came to: a metric where one of its trials was completed, a tag, and a table."""
    keys = {group.group: f"group_{group.group.replace(' ', '_')}" for group in groups}
    scores = {f"{keys[group.group]}_score": group.score for group in groups if group.score is not None}
    parent.log_metrics(scores)
    parent.set_tags({keys[group.group]: group.verdict for group in groups})
    rows = [group.model_dump() | {"verdict": group.verdict} for group in groups]
    parent.log_table(pd.DataFrame(rows), "groups")


def _decided(record: TrainRecord) -> str:
    if not record.undecided:
        return "How deep to freeze is decided: of every depth group a trial was trained until that no longer helped."
    verdicts = "; ".join(f"**{group.group}**, {group.verdict}" for group in record.undecided)
    return f"How deep to freeze is not decided for all depth groups: {verdicts}."
