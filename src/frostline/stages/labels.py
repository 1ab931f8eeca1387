"""Stage `labels`: training images whose label is probably wrong, by what the best head says of them out of fold."""

from collections.abc import Collection
from pathlib import Path

from matplotlib.figure import Figure

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.data.manifest import read_corrected
from frostline.data.packed import PackedImages, read_packed
from frostline.data.splits import cell_rows
from frostline.errors import ArtifactError
from frostline.evaluation.label_issues import LabelIssues, find_label_issues, held_out_cell
from frostline.files.atomic import atomic_folder
from frostline.files.spreadsheet import csv_text
from frostline.plots.gallery import gallery_figure
from frostline.plots.lettering import lettered
from frostline.records.label_summary import LabelSummary
from frostline.records.names import model_name
from frostline.records.train_record import TrainRecord, best_of_largest
from frostline.runtime.progress import say
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker
from frostline.training.setup import Setup

__all__ = ["run"]

_SHOWN = 24


def run(dataset: str) -> None:
    """Write `results/labels/<dataset>/`: `label_issues.csv`, `summary.json` and `gallery.png`; and the same to MLflow.

    Looked at are the images of the largest cell: their pooled vectors are cached. Raises ArtifactError if no model of
    the data set was trained.
    """
    config = load_config().for_dataset(dataset)
    record = best_of_largest(_trained(config, dataset))
    packed = read_packed(Path("data/packed") / f"{dataset}-{record.backbone}")
    known = set(read_corrected(Path("data/prepared") / dataset)["image"])
    issues = _look(config, record, packed, known)
    summary = LabelSummary(
        dataset=dataset,
        training_images=int((packed.index["split"] != "test").sum()),
        looked_at=issues.looked_at,
        label_issues=len(issues.table),
        pairs=issues.pairs,
    )
    figure = _gallery(issues, packed)
    tracker = Tracker.open(config.stores, dataset)
    tags = {"cell": record.cell, "size": record.size, "backbone": record.backbone}
    with tracker.stage_run(f"labels {dataset}", lineage_tags() | tags) as log:
        with atomic_folder(summary.folder) as new:
            (new / "label_issues.csv").write_bytes(csv_text(issues.table, for_people=True).encode())
            summary.write(new)
            figure.savefig(new / "gallery.png")
        log.log_params(record.best.settings.head.params())
        log.log_metrics(summary.model_dump(include={"training_images", "looked_at", "label_issues"}))
        for file in sorted(summary.folder.iterdir()):
            log.log_file(file)
    say(f"{dataset}: {summary.sentence}.")
    if summary.label_issues:
        table = summary.folder / "label_issues.csv"
        say(f"Look at them, fill in the column correct of {table}, and run: frostline relabel {dataset} {table}")


def _look(config: Config, record: TrainRecord, packed: PackedImages, known: Collection[str]) -> LabelIssues:
    rows = cell_rows(packed.index, record.per_class, config.seed)
    cell = held_out_cell(packed, rows, config.train, config.seed)
    if cell is None:
        return LabelIssues.none()
    options, cache = config.backbone(record.backbone), PrefixCache.of(config.stores)
    setup = Setup(cell, record.backbone, options, config.train, cache, config.seed)
    return find_label_issues(setup, record.best.settings.head, known)


def _trained(config: Config, dataset: str) -> list[TrainRecord]:
    names = [model_name(dataset, size, backbone) for size in config.sizes for backbone in config.backbones]
    folders = [Path("models") / name for name in names]
    found = [TrainRecord.read(folder) for folder in folders if (folder / "train.json").exists()]
    if not found:
        raise ArtifactError(f"No model of the data set '{dataset}' has been trained: run `dvc repro` first.")
    return found


def _gallery(issues: LabelIssues, packed: PackedImages) -> Figure:
    """The most doubtful ones, with the label, and what is likelier."""
    names = dict(zip(packed.classes, lettered(packed.classes), strict=True))
    shown = issues.table.head(_SHOWN)
    captions = [
        f"labelled {names[label]}\n{names[likelier]} {probability:.0%}"
        for label, likelier, probability in zip(
            shown["label"], shown["likelier"], shown["probability_likelier"], strict=True
        )
    ]
    return gallery_figure(packed.images[issues.rows[:_SHOWN]], captions, "Labels that may be wrong, the surest first")
