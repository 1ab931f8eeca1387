"""What params.yaml takes where its JSON schema does not say so, and what keys mean that no comment there explains."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from frostline.config import types
from frostline.config.effort import ChosenEffort

__all__ = ["MEANINGS", "allowed", "rule_of"]

_CHECKED: dict[str, Any] = {
    "Effort": ChosenEffort,
    "Strategies": types.Strategies,
    "Image Size": types.ImageSize,
    "Views": types.ViewSets,
}
"""Kinds of value that a function checks, by the title that their fields have in the schema."""
_IN_WORDS = {
    "Head Learning Rate": "a range `[low, high]` above 0",
    "Backbone Learning Rate": "a range `[low, high]` above 0",
    "Dropout": "a range `[low, high]` from 0, below 1",
    "Gpus": "a share of one GPU, up to 1, or a whole number",
}
_WRONG = ("?", ["?"])

MEANINGS = {
    "datasets.views": "what its trials choose among, in place of `search.views`",
    "datasets.path": "of the folder, the archive or the table; from the project's folder, if it is not absolute",
    "datasets.folder": "where the table's paths start; it may be an archive; null: the table's own folder",
    "datasets.columns": "what the data calls its columns; a list of labels is a column per class",
    "datasets.download": "whether pictures may be downloaded that the table names by web address",
    "datasets.threshold": "a cell is defective from this probability on",
    "datasets.name": "which data set of the library",
    "datasets.config": "which part of the data set, where it has several",
    "datasets.revision": "which version of the data set",
    "train.batch_size": "images in a step of training",
    "search.backbone_learning_rate": "of the thawed blocks",
    "search.dropout": "before the head, in trials that thaw blocks",
    "cards.data": "where the pictures come from, and whose they are",
    "cards.intended_use": "what models for them are for, and what not",
    "cards.considerations": "who may be harmed by a wrong answer",
    "search.pooling": "how a feature map becomes a vector: average, maximum, or both side by side",
}


def rule_of(title: str) -> str:
    """What the field with this title in the JSON schema takes, in the words that it refuses others with.

    Empty where the schema itself says it all.
    """
    if title not in _CHECKED:
        return _IN_WORDS.get(title, "")
    for wrong in _WRONG:
        for error in _faults(_CHECKED[title], wrong):
            if error["type"] == "value_error":
                words = str(error["msg"]).removeprefix("Value error, must be ").partition(", but ")[0]
                return words.partition(". ")[0].removesuffix(".")
    raise ValueError(f"Nothing was refused as {title}: change scripts/reference_rules.py.")


def allowed(title: str, values: list[str]) -> list[str]:
    """Those of `values` that the field with this title takes."""
    return [value for value in values if title != "Metric" or not _faults(types.PromotionMetric, value)]


def _faults(kind: Any, value: object) -> list[Any]:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as refused:
        return list(refused.errors())
    return []
