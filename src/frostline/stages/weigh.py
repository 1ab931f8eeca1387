"""Note which weights a backbone gets now, and what runs it, so that DVC sees when one changes; no Keras is imported."""

import hashlib
import json
from pathlib import Path

from frostline.backbones.foreign import refuse_foreign
from frostline.backbones.loading import weights_file
from frostline.config.load import load_config
from frostline.errors import WeightsError
from frostline.files.atomic import atomic_file
from frostline.provenance import Networks

__all__ = ["run"]


def run(backbone: str) -> None:
    """Write `data/backbones/<backbone>.json`: all that networks of it depend on, beside data and parameters.

    Raises WeightsError if its weights are a file that cannot be read, or that Keras did not write.
    """
    weights = load_config().backbone(backbone).weights
    file = weights_file(weights)
    facts = Networks(weights=_digest(file, backbone) if file else weights or "random").facts
    with atomic_file(Path("data/backbones") / f"{backbone}.json") as path:
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _digest(file: Path, backbone: str) -> str:
    """SHA-256 of `file`, whole, so that one that was merely copied or touched is known: 500 MB take a second."""
    refuse_foreign(file, f"backbones.{backbone}.weights in params.yaml")
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            f"The weights file {file} (backbones.{backbone}.weights in params.yaml) cannot be read: {error.strerror}. "
            "Put it there, or name another, imagenet, or null for random weights."
        ) from None
