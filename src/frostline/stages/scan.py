"""Note what a source holds now, and what reads it, so that DVC sees when one changes.

A file is read when it is new, or has another size or time than before: see `data.sources.digests`.
"""

import json
from pathlib import Path

from frostline.config.load import load_config
from frostline.data.corrections import Corrections
from frostline.data.sources import open_source
from frostline.data.sources.digests import Digests
from frostline.errors import DataError
from frostline.files.atomic import atomic_file
from frostline.files.reading import reading
from frostline.provenance import Pictures
from frostline.stores.addresses import cache_folder

__all__ = ["run"]


def run(dataset: str) -> None:
    """Write `data/sources/<dataset>.json`: all that decides its pictures and labels, but for how they are prepared."""
    config = load_config()
    options = config.dataset(dataset)
    source = open_source(options)
    digests = Digests(cache_folder(config.stores) / "sources" / f"{dataset}.json")
    with reading(source.root, DataError):
        pictures = Pictures(state=source.state(digests), corrections=Corrections.of(dataset).state)
    with atomic_file(Path("data/sources") / f"{dataset}.json") as file:
        file.write_text(json.dumps(options.origin | pictures.facts, indent=2) + "\n", encoding="utf-8")
