"""Note what a source holds now, so that DVC sees when it changes; nothing is opened."""

import json
from pathlib import Path

from frostline.config.load import load_config
from frostline.data.sources import open_source
from frostline.errors import DataError
from frostline.files.atomic import atomic_file
from frostline.files.reading import reading

__all__ = ["run"]


def run(dataset: str) -> None:
    """Write `data/sources/<dataset>.json`: the kind of source and the fingerprint of its state."""
    config = load_config().dataset(dataset)
    source = open_source(config)
    with reading(source.root, DataError):
        facts = {"source": config.source, "state": source.state()}
    with atomic_file(Path("data/sources") / f"{dataset}.json") as file:
        file.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
