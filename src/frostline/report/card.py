"""A model's card, in the form of Mitchell et al. 2019 (Model Cards for Model Reporting, arXiv 1810.03993)."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt

from frostline import __version__
from frostline.backbones.catalogue import BackboneSpec, find_backbone
from frostline.config.cards import CardConfig
from frostline.config.schema import Config
from frostline.data.manifest import read_manifest
from frostline.report.contest import read_contest
from frostline.report.coverage import coverage_of
from frostline.report.health import read_health
from frostline.report.results import CellResult
from frostline.text.phrases import listed
from frostline.text.words import visible

__all__ = ["as_html", "card_of"]

_MARKUP = re.compile(r"[\\`*<>|\[\]]|(?<!\w)_|_(?!\w)")


def card_of(result: CellResult, config: Config) -> str:
    """The card of a trained and evaluated cell, in Markdown. All figures are from files that the stages left.

    A user's words in it are words: none is taken for Markdown or HTML. Raises ArtifactError if a file is gone.
    """
    record, dataset = result.record, result.record.dataset
    environment = Environment(  # noqa: S701  # Markdown, in which `_plain` escapes words
        loader=PackageLoader("frostline.report", ""),
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"points": _points, "span": _span, "listed": _listed, "counts": _counts}
    options, settings = config.backbone(record.backbone), record.best.settings
    spec = find_backbone(record.backbone, options)
    text = environment.get_template("card.md").render(
        version=__version__,
        result=result,
        record=record,
        settings=settings,
        metrics=result.metrics,
        evidence=result.evidence,
        card=config.cards.get(dataset, CardConfig()),
        paper=spec.paper,
        weights=_weights(None if settings.init == "random" else options.preset or options.weights, spec),
        health=read_health(dataset),
        coverage=coverage_of(read_manifest(Path("data/prepared") / dataset / "manifest.csv")),
        contest=read_contest(result.model, record.best.trial),
        limits=config.prepare,
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def as_html(card: str) -> str:
    """A card as HTML, with headings two levels lower, for a page of its own headings."""
    html: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(card)
    return re.sub(r"(</?h)([1-4])>", lambda found: f"{found[1]}{int(found[2]) + 2}>", html)


def _plain(value: object) -> object:
    """Whatever the card prints: words on one line, with nothing in them hidden or taken for Markdown."""
    if not isinstance(value, str):
        return value
    return _MARKUP.sub(r"\\\g<0>", " ".join(visible(value, keep="\n").split()))


def _weights(asked: str | None, spec: BackboneSpec) -> str:
    if asked is None:
        return "none"
    if spec.preset:
        return f"of the preset {spec.name} of KerasHub; their licence is not known here: see its page there"
    if asked != "imagenet":
        return "from a file of the user's: whose they are, and under which licence, is not known here"
    terms = spec.licence or "their licence is not known here: see the documentation of Keras"
    return f"of ImageNet, as Keras has them; {terms}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _span(ends: tuple[int, int]) -> str:
    low, high = ends
    return f"{low}" if low == high else f"{low} to {high}"


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in numbers.items())


def _listed(names: Iterable[object]) -> str:
    return listed(str(name) for name in names)
