"""`frostline.studies` and `frostline.trials`: what was found, and every trial of a study, as tables."""

import json
from pathlib import Path

import pandas as pd

from frostline.notebook.session import in_folder

__all__ = ["studies", "trials"]


def studies(project: Path | str = ".") -> pd.DataFrame:
    """A row per study that was trained and evaluated, by its name (the index): the columns of reports/regimes.csv.

    Scores are balanced accuracies in [0, 1]; `validation` is corrected for the choice of the best trial, `test` is of
    the test images, and `guide_test` what following the guide would have given; `_low` and `_high` bound 95% intervals.

    Raises ConfigError if there is no params.yaml, ArtifactError if nothing was trained yet.
    """
    with in_folder(project):
        from frostline.config.load import load_config
        from frostline.report.results import read_results, regime_table

        results = read_results(load_config())
        return regime_table(results).set_index(pd.Index([result.record.name for result in results], name="study"))


def trials(study: str, project: Path | str = ".") -> pd.DataFrame:
    """A row per trial of `study`, by its number (the index): state, strategy, settings, validation scores, seconds.

    Raises ArtifactError if there is no such study.
    """
    with in_folder(project):
        from frostline.files.outputs import output_of

        file = Path("models") / study / "study.json"
        with output_of("train", file):
            return pd.DataFrame(json.loads(file.read_text(encoding="utf-8"))).set_index("trial")
