"""What `params.yaml` may say, as one frozen section per stage; `frostline.config.load` reads it."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from frostline.config.cards import CardConfig
from frostline.config.compute import ComputeConfig
from frostline.config.effort import ChosenEffort
from frostline.config.entry import entry_of
from frostline.config.frozen import Frozen
from frostline.config.serving import ServingConfig
from frostline.config.types import (
    Count,
    Fraction,
    ImageSize,
    LinearRange,
    LogRange,
    MetricName,
    Named,
    Pooling,
    PromotionMetric,
    Resize,
    Strategies,
    ViewSet,
    ViewSets,
)
from frostline.errors import ConfigError

__all__ = [
    "BackboneConfig",
    "Config",
    "CsvConfig",
    "DatasetConfig",
    "ElpvConfig",
    "FolderConfig",
    "KerasConfig",
    "PrepareConfig",
    "PreprocessConfig",
    "ProfileConfig",
    "PromotionConfig",
    "SearchConfig",
    "StoresConfig",
    "TrainConfig",
]


class _Section(Frozen, allow_inf_nan=False):
    """A section of `params.yaml`."""


class _Dataset(_Section):
    """A data set. `views` are what its trials choose among, in place of `search.views`: symmetries are the data's."""

    views: ViewSets | None = None

    @property
    def origin(self) -> dict[str, Any]:
        """All that decides which pictures there are and how they are labelled, for JSON."""
        return self.model_dump(mode="json", exclude={"views"})


class FolderConfig(_Dataset):
    """A folder with a sub-folder per class, with or without `train/`, `val/` and `test/` above them."""

    source: Literal["folder"]
    path: Path


class CsvConfig(_Dataset):
    """A CSV file with the columns image and label, and optionally split and group; others are kept as they are."""

    source: Literal["csv"]
    path: Path


class ElpvConfig(_Dataset):
    """Solar cells from the package `elpv-dataset`, `defective` at or above a defect probability."""

    source: Literal["elpv"]
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.5


class KerasConfig(_Dataset):
    """One of `keras.datasets` by name, for example `cifar10` (downloaded by Keras)."""

    source: Literal["keras"]
    name: Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]


DatasetConfig = Annotated[FolderConfig | CsvConfig | ElpvConfig | KerasConfig, Field(discriminator="source")]


class PrepareConfig(_Section):
    """What counts as a usable image, and how images are split. `frostline advise` takes the defaults."""

    test_fraction: Fraction = 0.25
    min_side: Count = 16
    max_pixels: Annotated[int, Field(ge=1, le=178_956_970)] = 100_000_000  # from the former on Pillow itself refuses
    min_images_per_class: Annotated[int, Field(ge=2)] = 10
    near_duplicate_bits: Annotated[int, Field(ge=0, le=32)] | None = 2


class PreprocessConfig(_Section):
    """How a picture becomes a square."""

    resize: Resize


class BackboneConfig(_Section):
    """A pretrained network: which Keras application, whose weights, at which image size in pixels."""

    application: str | None = None
    weights: str | None = "imagenet"
    image_size: ImageSize = "native"


class SimilarUpTo(_Section):
    """The largest shift that counts as similar: from a sample's statistics, or from BatchNorm's."""

    sample: Annotated[float, Field(gt=0)] = 0.25
    batchnorm: Annotated[float, Field(gt=0)] = 0.3


class ProfileConfig(_Section):
    """How cells are measured, and where the regimes meet. `frostline advise` takes the defaults."""

    images: Annotated[int, Field(ge=20)] = 400
    folds: Annotated[int, Field(ge=2)] = 5
    similar_up_to: SimilarUpTo = SimilarUpTo()
    large_per_class: Count = 200
    large_in_all: Count = 2000


class TrainConfig(_Section):
    """How one trial trains and validates."""

    batch_size: Count
    epochs: Count
    patience: Count
    warmup: Annotated[float, Field(ge=0)]
    class_weights: bool
    train_batchnorm: bool
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
    folds: Annotated[int, Field(ge=2)]
    repeats: Count
    repeats_up_to: Annotated[int, Field(ge=0)]
    folds_up_to: Annotated[int, Field(ge=0)]
    validation_fraction: Fraction
    resident_gigabytes: Annotated[float, Field(ge=0)]


class SearchConfig(_Section):
    """What Optuna varies, and how much of it is tried."""

    effort: ChosenEffort
    startup_trials: Count
    strategies: Strategies
    head_learning_rate: LogRange
    backbone_learning_rate: LogRange
    dropout: LinearRange
    pooling: Annotated[tuple[Pooling, ...], Field(min_length=1)]
    views: ViewSets
    test_views: Literal["same", "identity"]

    @model_validator(mode="after")
    def _dropout_is_a_fraction(self) -> "SearchConfig":
        if not (self.dropout[0] >= 0 and self.dropout[1] < 1):
            raise ValueError(f"dropout must lie in [0, 1), but got {list(self.dropout)}")
        return self

    def test_views_of(self, views: ViewSet) -> ViewSet:
        """What predictions of a trial on `views` are averaged over."""
        return views if self.test_views == "same" else "identity"


class PromotionConfig(_Section):
    """When a challenger becomes the champion."""

    metric: PromotionMetric = "balanced_accuracy"
    level: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    calibration_error: Annotated[float, Field(ge=0)] = 0.03
    latency: Annotated[float, Field(gt=0)] = 1.5
    floors: dict[MetricName, float] = Field(default_factory=dict)


class StoresConfig(_Section):
    """Where runs, studies and cached activations are kept between runs."""

    tracking: str
    studies: str
    cache: Path
    cache_gigabytes: Annotated[float, Field(gt=0)]


class Config(_Section):
    """The whole of `params.yaml`."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    datasets: Named[DatasetConfig]
    sizes: Named[Count]
    backbones: Named[BackboneConfig]
    prepare: PrepareConfig
    preprocess: PreprocessConfig
    profile: ProfileConfig
    train: TrainConfig
    search: SearchConfig
    promotion: PromotionConfig = PromotionConfig()
    serving: ServingConfig = ServingConfig()
    cards: dict[str, CardConfig] = Field(default_factory=dict)
    compute: ComputeConfig = ComputeConfig()
    stores: StoresConfig

    def dataset(self, name: str) -> DatasetConfig:
        """The data set called `name`. Raises ConfigError if params.yaml has none."""
        return entry_of("data set", "datasets", self.datasets, name)

    def dataset_name(self, name: str | None) -> str:
        """`name`, or the only data set there is. Raises ConfigError if there are several, or none called so."""
        if name is None and len(self.datasets) > 1:
            raise ConfigError(
                f"params.yaml names several data sets ({', '.join(self.datasets)}): say which with --dataset NAME."
            )
        name = next(iter(self.datasets)) if name is None else name
        self.dataset(name)
        return name

    def views_of(self, dataset: str) -> ViewSets:
        """The sets of views that trials on a data set choose among. Raises ConfigError if params.yaml has none."""
        return self.dataset(dataset).views or self.search.views

    def for_dataset(self, name: str) -> Self:
        """The same, but that `search.views` are those of a data set. Raises ConfigError if params.yaml has none."""
        search = self.search.model_copy(update={"views": self.views_of(name)})
        return self.model_copy(update={"search": search})

    def size(self, name: str) -> int:
        """Images per class of the size called `name`. Raises ConfigError if params.yaml has none."""
        return entry_of("size", "sizes", self.sizes, name)

    def backbone(self, name: str) -> BackboneConfig:
        """The backbone called `name`. Raises ConfigError if params.yaml has none."""
        return entry_of("backbone", "backbones", self.backbones, name)
