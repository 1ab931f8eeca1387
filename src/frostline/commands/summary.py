"""`frostline summary`: one table of what the last run found, and where to look further."""

from rich.table import Table

from frostline.config.load import load_config
from frostline.report.results import CellResult, read_results
from frostline.runtime.terminal import console

__all__ = ["run"]


def run() -> None:
    """Print a row per cell and backbone of params.yaml, twice: what the search found, and whether the guide was right.

    Raises ArtifactError if none was trained and evaluated yet.
    """
    config = load_config()
    guide = Table(title="Was the guide right?", header_style="bold")
    for name in ("cell", "backbone", "regime", "the guide recommends", "the search found"):
        guide.add_column(name, no_wrap=True)
    for name in ("test, guide\nbalanced acc.", "test, search\nbalanced acc.", "difference, points\n(95% interval)"):
        guide.add_column(name, justify="right", no_wrap=True)
    guide.add_column("so")
    table = Table(title="What the search found", header_style="bold")
    for name in ("cell", "backbone", "best strategy", "freeze depth", "learning rates\nhead, backbone"):
        table.add_column(name, no_wrap=True)
    scores = ("validation, corrected\n(95% interval)", "test balanced acc.\n(95% interval)", "test\naccuracy")
    for name in (*scores, "trials", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    results = read_results(config)
    for result in results:
        table.add_row(*_row(result))
        guide.add_row(*_guide_row(result))
    screen = console(190)
    screen.print(table)
    screen.print(guide)
    screen.print(
        "Compare runs and models:      [bold]make ui[/bold], then http://127.0.0.1:5000/#/experiments"
        f"/{results[-1].record.experiment_id}?workflowType=machine_learning",
        soft_wrap=True,
    )
    screen.print("Look into the Optuna studies: [bold]make dashboard[/bold]")


def _row(result: CellResult) -> list[str]:
    record, metrics = result.record, result.metrics
    settings, trials, expected = record.best.settings, record.trials, record.validation.corrected
    backbone_rate = f"{settings.backbone_learning_rate:.1e}" if settings.thaw else "frozen"
    low, high = result.evidence["intervals"]["balanced_accuracy"].values()
    return [
        record.cell,
        record.backbone,
        record.best.strategy,
        f"{settings.freeze_depth} of {settings.keep} kept",
        f"{settings.head_learning_rate:.1e}, {backbone_rate}",
        f"{expected.value:.3f} ({expected.low:.3f} to {expected.high:.3f})",
        f"{metrics['balanced_accuracy']:.3f} ({low:.3f} to {high:.3f})",
        f"{metrics['accuracy']:.3f}",
        f"{trials.complete} + {trials.pruned} pruned" + (f" + {trials.failed} failed" if trials.failed else ""),
        f"{record.seconds / 60:.1f} min",
    ]


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
