"""Stage `report`: one page about everything that was found, and the regime table as CSV."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from frostline.config.load import load_config
from frostline.files.atomic import atomic_file
from frostline.files.spreadsheet import csv_text
from frostline.report.card import card_of
from frostline.report.health import read_health
from frostline.report.page import render
from frostline.report.results import read_results, regime_table
from frostline.runtime.progress import say
from frostline.stores.addresses import tracking_address
from frostline.text.phrases import counted
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker

__all__ = ["run"]

_PAGE, _TABLE = Path("reports/index.html"), Path("reports/regimes.csv")
_LOCAL_UI = "http://127.0.0.1:5000"


def run() -> None:
    """Write `reports/index.html` and `reports/regimes.csv`, and log both with each data set's runs in MLflow.

    Raises ArtifactError if nothing was trained and evaluated yet.
    """
    config = load_config()
    results = [replace(result, card=card_of(result, config)) for result in read_results(config)]
    lineage = lineage_tags()
    datasets = list(dict.fromkeys(result.record.dataset for result in results))
    names = dict.fromkeys(f"{result.record.dataset}-{result.record.backbone}" for result in results)
    tracking = tracking_address(config.stores).shown
    page = render(
        results,
        [read_health(dataset) for dataset in datasets],
        {name: Path("results/profile") / f"{name}.png" for name in names},
        lineage,
        tracking if tracking.startswith("http") else _LOCAL_UI,
        datetime.now(UTC),
    )
    with atomic_file(_PAGE) as path:
        path.write_text(page, encoding="utf-8")
    with atomic_file(_TABLE) as path:
        path.write_bytes(csv_text(regime_table(results), for_people=True).encode())
    for dataset in datasets:
        with Tracker.open(config.stores, dataset).stage_run("report", lineage) as log:
            log.log_file(_PAGE)
            log.log_file(_TABLE)
    say(f"{_PAGE}: {counted(len(results), 'cell')}, {len(page) / 1e6:.1f} MB; open it in a browser.")
