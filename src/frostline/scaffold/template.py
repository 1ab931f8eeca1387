"""The files of a new project. Their texts are those of the solar-cell example, which the repository itself is."""

import re
from importlib.resources import files
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from frostline.scaffold.proposal import Proposal

__all__ = ["example_parameters", "ignored", "parameters", "pipeline"]

_NO_WORDS = {"data": None, "intended_use": None, "considerations": None}


def pipeline() -> str:
    """The text of dvc.yaml, which is the same in every project."""
    return _text("pipeline.yaml")


def ignored(name: str) -> list[str]:
    """The lines that .gitignore or .dvcignore needs."""
    return _text(name.removeprefix(".")).splitlines()


def example_parameters() -> str:
    """The text of params.yaml for the solar cells."""
    return _text("parameters.yaml")


def parameters(proposal: Proposal) -> str:
    """The text of params.yaml for images of one's own: every key of the example's, explained, but another data set."""
    text = example_parameters()
    backbone = {"weights": "imagenet", "image_size": proposal.image_size}
    for section, entries in (
        ("datasets", {proposal.name: proposal.dataset}),
        ("sizes", {"all": "all"}),
        ("backbones", {proposal.backbone: backbone}),
        ("cards", {proposal.name: _NO_WORDS}),
    ):
        text = _with_section(text, section, entries)
    notes = "".join(f"# {note}\n" for note in proposal.notes)
    return text.replace("\nseed:", f"\n{notes}\nseed:", 1) if notes else text


def _with_section(text: str, section: str, entries: dict[str, Any]) -> str:
    """`text` with `entries` in place of what lies indented below the line of `section`; that line's comment stays."""
    stream, yaml = StringIO(), YAML()
    yaml.width = 10_000  # a long path stays in one line
    yaml.representer.add_representer(type(None), _null)
    yaml.dump({section: entries}, stream)
    _, _, body = stream.getvalue().partition("\n")
    pattern = re.compile(rf"^({section}:[^\n]*\n)(?:[ ]+[^\n]*\n)+", re.MULTILINE)
    return pattern.sub(lambda found: found[1] + body, text, count=1)


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _text(name: str) -> str:
    return (files("frostline.scaffold") / "files" / name).read_text(encoding="utf-8")
