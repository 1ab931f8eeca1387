"""Decode the images of a data set once, to the size that a backbone takes."""

from pathlib import Path

from frostline.backbones.catalogue import resolve_image_size
from frostline.config.load import load_config
from frostline.data.manifest import read_levels, read_manifest
from frostline.data.packed import Form, read_packed, write_packed
from frostline.data.sources import open_source
from frostline.runtime.progress import say
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker

__all__ = ["run"]


def run(dataset: str, backbone: str) -> None:
    """Write `data/packed/<dataset>-<backbone>/`: `images.npy`, `labels.npy`, `index.csv` and `packed.json`."""
    config = load_config()
    manifest = read_manifest(Path("data/prepared") / dataset / "manifest.csv")
    root = open_source(config.dataset(dataset)).root
    size = resolve_image_size(backbone, config.backbone(backbone))
    folder = Path("data/packed") / f"{dataset}-{backbone}"
    form = Form(size, config.preprocess.resize, read_levels(Path("data/prepared") / dataset))
    write_packed(folder, manifest, root, form, config.prepare)
    packed = read_packed(folder)
    tags = lineage_tags() | {"backbone": backbone}
    with Tracker.open(config.stores, dataset).stage_run(f"preprocess {dataset}-{backbone}", tags) as log:
        source = str(Path("data/prepared") / dataset)
        log.log_input(packed.index, name=dataset, source=source, digest=packed.fingerprint, context="packed")
        log.log_params({"image_size": size, "resize": config.preprocess.resize})
        log.log_metrics({"images": len(packed.labels), "megabytes": packed.images.nbytes / 1e6})
        log.log_file(folder / "packed.json")
    say(f"{dataset}-{backbone}: {len(manifest)} images packed at {size} x {size} pixels")
