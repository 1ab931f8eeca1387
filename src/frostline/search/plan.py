"""What a study of one cell will do, decided before it begins: cell, networks, first trials, and its identity."""

from dataclasses import dataclass
from typing import Self

from frostline.cache.prefix import PrefixCache
from frostline.compute.workers import Workers
from frostline.config.schema import Config
from frostline.config.types import PerClass
from frostline.data.packed import PackedImages
from frostline.provenance import Study, fingerprint
from frostline.records.names import OfModel
from frostline.records.profile import CellProfile
from frostline.runtime.progress import say
from frostline.search.estimate import estimate_study
from frostline.search.schedule import Schedule
from frostline.stores.addresses import cache_folder
from frostline.tracking.lineage import lineage_tags
from frostline.training.cell import Cell, make_cell
from frostline.training.memo import Memo
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

__all__ = ["CellInputs", "StudyPlan"]


@dataclass(frozen=True, eq=False)
class CellInputs(OfModel):
    """What one cell is trained from: its names in params.yaml, its images, and what `profile` found.

    `per_class` is how many images of a class it has at most, or `all`.
    """

    dataset: str
    size: str
    backbone: str
    per_class: PerClass
    packed: PackedImages
    profile: CellProfile


@dataclass(frozen=True, eq=False)
class StudyPlan:
    """A study that can begin; `identity` is the fingerprint of all that decides its result."""

    inputs: CellInputs
    config: Config
    trainer: Trainer
    schedule: Schedule
    identity: str

    @classmethod
    def make(cls, inputs: CellInputs, config: Config) -> Self:
        """Divide the cell into folds, build its networks, and lay down the order of trials."""
        cell = make_cell(inputs.packed, inputs.per_class, config.train, config.seed)
        cache = PrefixCache.of(config.stores)
        backbone = config.backbone(inputs.backbone)
        setup = Setup(cell, inputs.backbone, backbone, config.train, cache, config.seed)
        trainer = Trainer(setup, Memo(setup, cache.folder, cache.limit_bytes))
        accelerated = config.compute.engine == "ray" and config.compute.gpus > 0
        schedule = Schedule(config.search, trainer.backbone.depth, inputs.profile.cut, accelerated)
        return cls(inputs, config, trainer, schedule, _identity(config, trainer, schedule))

    @property
    def cell(self) -> Cell:
        """The images that it trains on, and how they validate."""
        return self.trainer.cell

    @property
    def study_name(self) -> str:
        """The name of the study in Optuna, which ends in its identity."""
        return f"{self.inputs.name}-{self.identity[:8]}"

    @property
    def tags(self) -> dict[str, str]:
        """What every run of the study is tagged with in MLflow."""
        inputs, weights = self.inputs, self.trainer.backbone.weights
        return lineage_tags() | {
            "cell": inputs.cell,
            "size": inputs.size,
            "backbone": inputs.backbone,
            "data_fingerprint": inputs.packed.fingerprint,
            "weights_fingerprint": weights.sha256,
            "weights_source": weights.source,
            "optuna_study": self.study_name,
            "regime": inputs.profile.regime,
            "recommendation": " or ".join(inputs.profile.strategies),
        }

    def announce(self) -> None:
        """Say what will be trained on what, and in which regime that is."""
        name, backbone, profile = self.inputs.name, self.trainer.backbone, self.inputs.profile
        say(
            f"{name}: {len(self.cell.all_rows)} images of {len(self.inputs.packed.classes)} classes, validated by "
            f"{self.cell.scheme}; {backbone.spec.application} in {backbone.depth} blocks, "
            f"{self.trainer.setup.precision}, weights from {backbone.weights.source}."
        )
        say(f"{name}: the regime is {profile.regime}. {profile.reason}")

    def fill_cache(self, workers: Workers, finished: int) -> None:
        """Let `workers` compute the activations that the study will read.

        What the study will cost is said first, unless some of its trials are `finished`.
        """
        stores, search = self.config.stores, self.config.search
        limit_bytes = int(stores.cache_gigabytes * 1e9)
        estimate = estimate_study(self.trainer, self.schedule, cache_folder(stores), limit_bytes)
        if not finished:
            estimate.report(self.schedule)
        workers.fill(search.views, estimate.cuts)


def _identity(config: Config, trainer: Trainer, schedule: Schedule) -> str:
    cell, backbone = trainer.cell, trainer.backbone
    groups = cell.packed.index["group"].to_numpy(dtype=str)[cell.all_rows]
    return Study(
        images=cell.packed.fingerprint,
        folds=cell.folds_fingerprint,
        groups=fingerprint(groups.tolist()),
        backbone=backbone.spec.architecture,
        image_size=cell.packed.image_size,
        weights=backbone.weights.sha256,
        precision=trainer.setup.precision,
        training=config.train.model_dump(mode="json", exclude={"precision", "resident_gigabytes"}),
        search=schedule.config.model_dump(mode="json") | {"cut": schedule.cut, "images": schedule.images},
        seed=config.seed,
    ).fingerprint
