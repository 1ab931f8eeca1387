"""What MLflow is told of a finished study, on its parent run."""

from frostline.provenance import fingerprint
from frostline.records.train_record import TrainRecord
from frostline.search.outcome import Outcome
from frostline.tracking.runs import Run

__all__ = ["log_study"]


def log_study(parent: Run, outcome: Outcome, record: TrainRecord) -> None:
    """Metrics of the winner under the names that trials use, the trial table, figures, the images, a description."""
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
    for picture, figure in outcome.figures.items():
        parent.log_figure(figure, picture)
    parent.describe(
        f"{record.cell}, {record.backbone}: the regime is **{record.guide.regime}**, for which the guide recommends "
        f"{' or '.join(record.guide.recommended)}. Trial {best.trial} won with **{best.strategy}**: keep "
        f"{best.settings.keep}, freeze {best.settings.freeze_depth}; the head reads blocks "
        f"{', '.join(map(str, best.settings.blocks))}. Corrected for its having been chosen, its "
        f"balanced accuracy in validation is {corrected}.\n\nTo see freeze depth against score, select the runs under "
        "this one, press *Compare*, and choose the parameter `freeze_depth` and the metric `score` under *Parallel "
        "coordinates*; or look at `trials.png` among the artifacts."
    )
