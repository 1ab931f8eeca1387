"""`frostline summary`: what the last run found, in tables, and where to look further."""

from collections.abc import Sequence
from shlex import quote

from rich.table import Table

from frostline.config.load import load_config
from frostline.records.label_summary import LabelSummary
from frostline.report.results import CellResult, read_results
from frostline.runtime.terminal import console, plain
from frostline.stores.addresses import address_of, tracking_address

__all__ = ["run"]

_WIDTH = 240


def run() -> None:
    """Print what the last run found.

    By cell and backbone that is the winner, what depth groups came to, and whether the guide was right; by data set,
    how many labels are in doubt.

    Raises ArtifactError if none of params.yaml was trained and evaluated yet.
    """
    config = load_config()
    results = read_results(config)
    screen = console(_WIDTH)
    for table in (_found(results), _groups(results), _guide(results)):
        screen.print(table)
    for dataset in dict.fromkeys(result.record.dataset for result in results):
        if labels := LabelSummary.read(dataset):
            screen.print(f"{dataset}: {labels.sentence}: see {labels.folder}/label_issues.csv", soft_wrap=True)
    tracking = quote(tracking_address(config.stores).shown)
    studies = quote(address_of(config.stores.studies, "stores.studies").shown)
    page = f"http://127.0.0.1:5000/#/experiments/{results[-1].record.experiment_id}?workflowType=machine_learning"
    for line in (
        f"Compare runs and models:      mlflow ui --backend-store-uri {tracking}",
        f"                              then {page}",
        f"Look into the Optuna studies: optuna-dashboard {studies}",
    ):
        screen.print(plain(line), soft_wrap=True)


def _found(results: Sequence[CellResult]) -> Table:
    table = Table(title="What the search found", header_style="bold")
    table.add_column("cell", no_wrap=True)
    for name in ("backbone", "best strategy", "frozen", "the head reads", "views"):
        table.add_column(name)
    scores = ("validation, corrected\n(95% interval)", "test balanced acc.\n(95% interval)", "test\naccuracy")
    for name in scores:
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("trials", "time"):
        table.add_column(name, justify="right")
    for result in results:
        table.add_row(*_row(result))
    return table


def _row(result: CellResult) -> list[str]:
    record, metrics = result.record, result.metrics
    settings, trials, expected = record.best.settings, record.trials, record.validation.corrected
    low, high = result.evidence["intervals"]["balanced_accuracy"].values()
    frozen = f"{settings.freeze_depth} of {settings.keep} kept"
    if settings.thaw:
        head, blocks = settings.head_learning_rate, settings.backbone_learning_rate
        frozen += f"; learning rates:\nhead {head:.1e}, blocks {blocks:.1e}"
    return [
        record.cell,
        record.backbone,
        record.best.strategy,
        frozen,
        record.best.reads,
        f"{settings.test_views} ({record.best.views})",
        f"{expected.value:.3f} ({expected.low:.3f} to {expected.high:.3f})",
        f"{metrics['balanced_accuracy']:.3f} ({low:.3f} to {high:.3f})",
        f"{metrics['accuracy']:.3f}",
        f"{trials.complete} + {trials.pruned} pruned" + (f" + {trials.failed} failed" if trials.failed else ""),
        f"{record.seconds / 60:.1f} min",
    ]


def _groups(results: Sequence[CellResult]) -> Table:
    table = Table(title="How deep to freeze", header_style="bold")
    for name in ("cell", "backbone", "trained"):
        table.add_column(name, no_wrap=True)
    for name in ("trials", "validation, the best trial's\n(standard error)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("so")
    for result in results:
        record = result.record
        for place, group in enumerate(record.groups):
            names = ("", "") if place else (record.cell, record.backbone)
            used = " (the winner's)" if group.group == record.best.group else ""
            table.add_row(*names, f"{group.group}{used}", str(group.trials), group.scored, group.verdict)
        table.add_section()
    return table


def _guide(results: Sequence[CellResult]) -> Table:
    table = Table(title="Was the guide right?", header_style="bold")
    for name in ("cell", "backbone", "regime", "the guide recommends", "the search found"):
        table.add_column(name, no_wrap=True)
    for name in ("test, guide\nbalanced acc.", "test, search\nbalanced acc.", "difference, points\n(95% interval)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("so")
    for result in results:
        table.add_row(*_guide_row(result))
    return table


def _guide_row(result: CellResult) -> list[str]:
    record, guide = result.record, result.guide
    recommended = " or ".join(record.guide.recommended)
    row = [record.cell, record.backbone, record.guide.regime, recommended, record.best.strategy]
    test = f"{result.metrics['balanced_accuracy']:.3f}"
    if guide is None:
        return [*row, "-", test, "-", result.verdict]
    difference, low, high = (100 * guide[name] for name in ("difference", "difference_low", "difference_high"))
    found = f"{difference:+.1f} ({low:+.1f} to {high:+.1f})"
    return [*row, f"{guide['balanced_accuracy']:.3f}", test, found, result.verdict]
