"""Inspect the images of a data set, leave out what cannot be used, split the rest."""

from pathlib import Path
from typing import Any

from frostline.config.load import load_config
from frostline.data.corrections import Corrections
from frostline.data.manifest import build, write_prepared
from frostline.data.sources import open_source
from frostline.runtime.progress import say
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker

__all__ = ["run"]

# One group this large says that the hash does not tell the pictures apart, rather than that they are duplicates.
_LARGE_GROUP = 0.05
_NOMINAL = {"integers": ([0, 65535],), "floats": ([0, 1], [0, 255], [0, 65535])}


def run(dataset: str) -> None:
    """Write `data/prepared/<dataset>/`: `manifest.csv`, `quarantine.csv`, `corrected.csv` and `card.json`."""
    config = load_config()
    options = config.dataset(dataset)
    prepared = build(open_source(options), options, config.prepare, config.seed, Corrections.of(dataset))
    folder = Path("data/prepared") / dataset
    write_prepared(folder, prepared)
    with Tracker.open(config.stores, dataset).stage_run(f"prepare {dataset}", lineage_tags()) as log:
        digest = prepared.card["fingerprint"]
        log.log_input(prepared.manifest, name=dataset, source=options.source, digest=digest, context="prepared")
        log.log_params({"seed": config.seed} | options.origin | config.prepare.model_dump())
        counts = prepared.card["splits"] | {f"quarantined_{k}": v for k, v in prepared.card["quarantined"].items()}
        log.log_metrics({"images": prepared.card["images"], "duplicates": prepared.card["duplicates"]} | counts)
        for file in ("card.json", "quarantine.csv", "corrected.csv", "manifest.csv"):
            log.log_file(folder / file)
    say(f"{dataset}: {_summary(prepared.card)}")
    _say_corrected(dataset, prepared.card["corrected"])
    _say_levels(dataset, prepared.card)
    largest = prepared.card["groups"]["largest"]
    if largest > max(2, _LARGE_GROUP * prepared.card["images"]):
        say(
            f"{dataset}: one group of near duplicates holds {largest} images, which all go to one split. "
            "If they are not alike, lower prepare.near_duplicate_bits in params.yaml; null looks for none."
        )


def _say_corrected(dataset: str, corrected: dict[str, int]) -> None:
    if any(corrected.values()):
        counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in corrected.items())
        say(f"{dataset}: by corrections/{dataset}.csv: {counts}")


def _say_levels(dataset: str, card: dict[str, Any]) -> None:
    """A line where pictures of more than 8 bits are stretched, and one where some of them stay dark all the same."""
    stretched = [
        f"{kind} from {levels[0]:g} (black) to {levels[1]:g} (white)"
        for kind, levels in card["levels"].items()
        if levels and levels not in _NOMINAL[kind]
    ]
    if stretched:
        say(f"{dataset}: pictures of more than 8 bits do not use them all; taken as {', '.join(stretched)}")
    dark = card["near_black"]
    if dark["images"]:
        say(
            f"{dataset}: {dark['images']} pictures of more than 8 bits become nearly black ({dark['example']} is one): "
            "their values are below a sixteenth of what others reach. If they hold fewer bits, make them a data set of "
            "their own, or save them with 8 bits."
        )


def _summary(card: dict[str, Any]) -> str:
    splits = ", ".join(f"{count} {split}" for split, count in card["splits"].items())
    left_out = ", ".join(f"{count} {reason}" for reason, count in card["quarantined"].items()) or "none"
    return f"{card['images']} images in {len(card['classes'])} classes ({splits}); quarantined: {left_out}"
