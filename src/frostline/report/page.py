"""The report: one HTML file with everything in it, for a phone or a desktop, light or dark."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from frostline.files.outputs import output_of
from frostline.report.card import as_html
from frostline.report.health import Health
from frostline.report.results import CellResult
from frostline.text.words import visible

__all__ = ["render"]


def render(
    results: Sequence[CellResult],
    health: Sequence[Health],
    profiles: Mapping[str, Path],
    lineage: Mapping[str, str],
    mlflow: str,
    now: datetime,
) -> str:
    """The page. `profiles` has the figure of each data set and backbone by name; `mlflow` is where MLflow's UI is."""
    environment = Environment(
        loader=PackageLoader("frostline.report", ""),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"points": _points, "picture": _picture, "shortened": _shortened, "markdown": _markdown}
    return environment.get_template("page.html").render(
        results=results,
        health=health,
        profiles=profiles,
        lineage=dict(sorted(lineage.items())),
        mlflow=mlflow.rstrip("/"),
        now=now.strftime("%Y-%m-%d %H:%M %Z"),
    )


def _markdown(card: str) -> Markup:
    return Markup(as_html(card))  # noqa: S704  # markdown-it escapes


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _shown(value: object) -> object:
    """Whatever the page prints: words with nothing hidden in them, before they are escaped for HTML."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _shortened(values: Iterable[str]) -> dict[str, str]:
    """For each of `values`, itself; or, where all are numbers that differ so too, its fractions to three digits."""
    values = list(values)
    try:
        short = {value: f"{float(value):.3g}" if "." in value else value for value in values}
    except ValueError:
        short = {}
    return short if len(set(short.values())) == len(values) else {value: value for value in values}


def _picture(path: Path) -> str:
    """An image file as a data URI, so that the page needs no other file. Raises ArtifactError if it is gone."""
    with output_of("report", path):  # the stage is named for what is damaged, and bytes are not
        return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
