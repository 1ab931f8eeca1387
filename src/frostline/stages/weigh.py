"""Note which weights a backbone gets now, and what runs it, so that DVC sees when one changes; no Keras is imported."""

import hashlib
import json
from pathlib import Path

from frostline.backbones.foreign import refuse_foreign
from frostline.backbones.loading import weights_file
from frostline.backbones.presets import preset_folder
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.errors import WeightsError
from frostline.files.atomic import atomic_file
from frostline.files.reading import reading
from frostline.provenance import Networks, fingerprint, versions

__all__ = ["run"]


def run(backbone: str) -> None:
    """Write `data/backbones/<backbone>.json`: all that networks of it depend on, beside data and parameters.

    Raises WeightsError if its weights are a file that cannot be read, or that Keras did not write.
    """
    facts = Networks(weights=_weights(backbone, load_config().backbone(backbone))).facts
    with atomic_file(Path("data/backbones") / f"{backbone}.json") as path:
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _weights(backbone: str, options: BackboneConfig) -> str:
    """What changes when the weights do."""
    if options.preset:
        folder = preset_folder(options.preset)
        return f"preset {_folder_digest(folder) if folder else options.preset}, KerasHub {versions(['keras-hub'])}"
    file = weights_file(options.weights)
    return _digest(file, backbone) if file else options.weights or "random"


def _folder_digest(folder: Path) -> str:
    with reading(folder, WeightsError):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        parts = []
        for path in files:
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            parts.append((path.relative_to(folder).as_posix(), digest))
    return fingerprint(parts)


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
