"""What `params.yaml` may say, as one frozen section per stage; `frostline.config.load` reads it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from frostline.config.cards import CardConfig
from frostline.config.compute import ComputeConfig
from frostline.config.datasets import CsvConfig, DatasetConfig, ElpvConfig, FolderConfig, KerasConfig
from frostline.config.effort import EFFORTS, ChosenEffort
from frostline.config.entry import entry_of
from frostline.config.section import Section
from frostline.config.serving import ServingConfig
from frostline.config.types import (
    Count,
    Fraction,
    ImageSize,
    LinearRange,
    LogRange,
    MetricName,
    Named,
    PerClass,
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


class PrepareConfig(Section):
    """What counts as a usable image, and how images are split. `frostline advise` takes the defaults."""

    test_fraction: Fraction = 0.25
    min_side: Count = 16
    max_pixels: Annotated[int, Field(ge=1, le=178_956_970)] = 100_000_000  # from the former on Pillow itself refuses
    min_images_per_class: Annotated[int, Field(ge=2)] = 10
    near_duplicate_bits: Annotated[int, Field(ge=0, le=32)] | None = 2


class PreprocessConfig(Section):
    """How a picture becomes a square."""

    resize: Resize = "stretch"


class BackboneConfig(Section):
    """A pretrained network: which Keras application, whose weights, or which preset; at which image size in pixels."""

    application: str | None = None
    preset: str | None = None
    weights: str | None = "imagenet"
    image_size: ImageSize = "native"

    @model_validator(mode="after")
    def _a_preset_has_its_own(self) -> "BackboneConfig":
        also = sorted({"application", "weights"} & self.model_fields_set)
        if self.preset is not None and also:
            raise ValueError(
                f"a preset is a network with its weights, but {' and '.join(also)} stands beside it: leave out one"
            )
        return self


class SimilarUpTo(Section):
    """The largest shift that counts as similar: from a sample's statistics, or from BatchNorm's."""

    sample: Annotated[float, Field(gt=0)] = 0.25
    batchnorm: Annotated[float, Field(gt=0)] = 0.3


class ProfileConfig(Section):
    """How cells are measured, and where the regimes meet. `frostline advise` takes the defaults."""

    images: Annotated[int, Field(ge=20)] = 400
    folds: Annotated[int, Field(ge=2)] = 5
    similar_up_to: SimilarUpTo = SimilarUpTo()
    large_per_class: Count = 200
    large_in_all: Count = 2000


class TrainConfig(Section):
    """How one trial trains and validates."""

    batch_size: Count = 16
    epochs: Count = 60
    patience: Count = 5
    warmup: Annotated[float, Field(ge=0)] = 1
    class_weights: bool = True
    train_batchnorm: bool = False
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    folds: Annotated[int, Field(ge=2)] = 5
    repeats: Count = 3
    repeats_up_to: Annotated[int, Field(ge=0)] = 500
    folds_up_to: Annotated[int, Field(ge=0)] = 5000
    validation_fraction: Fraction = 0.2
    resident_gigabytes: Annotated[float, Field(ge=0)] = 2


class SearchConfig(Section):
    """What Optuna varies, and how much of it is tried."""

    effort: ChosenEffort = EFFORTS["quick"]
    startup_trials: Count = 10
    strategies: Strategies = "auto"
    head_learning_rate: LogRange = (0.00001, 0.001)
    backbone_learning_rate: LogRange = (0.000003, 0.001)
    dropout: LinearRange = (0.0, 0.6)
    pooling: Annotated[tuple[Pooling, ...], Field(min_length=1)] = ("average", "maximum", "both")
    views: ViewSets = ("identity", "flips")
    test_views: Literal["same", "identity"] = "same"

    @model_validator(mode="after")
    def _dropout_is_a_fraction(self) -> "SearchConfig":
        if not (self.dropout[0] >= 0 and self.dropout[1] < 1):
            raise ValueError(f"dropout must lie in [0, 1), but got {list(self.dropout)}")
        return self

    def test_views_of(self, views: ViewSet) -> ViewSet:
        """What predictions of a trial on `views` are averaged over."""
        return views if self.test_views == "same" else "identity"


class PromotionConfig(Section):
    """When a challenger becomes the champion."""

    metric: PromotionMetric = "balanced_accuracy"
    level: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    calibration_error: Annotated[float, Field(ge=0)] = 0.03
    latency: Annotated[float, Field(gt=0)] = 1.5
    floors: dict[MetricName, float] = Field(default_factory=dict)


class StoresConfig(Section):
    """Where runs, studies and cached activations are kept between runs."""

    tracking: str = "sqlite:///mlruns/mlflow.db"
    studies: str = "sqlite:///mlruns/optuna.db"
    cache: Path = Path(".cache/frostline")
    cache_gigabytes: Annotated[float, Field(gt=0)] = 20


class Config(Section):
    """The whole of `params.yaml`. All but `datasets`, `sizes` and `backbones`, DVC's matrix, may be left out."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 20
    datasets: Named[DatasetConfig]
    sizes: Named[PerClass]
    backbones: Named[BackboneConfig]
    prepare: PrepareConfig = PrepareConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    profile: ProfileConfig = ProfileConfig()
    train: TrainConfig = TrainConfig()
    search: SearchConfig = SearchConfig()
    promotion: PromotionConfig = PromotionConfig()
    serving: ServingConfig = ServingConfig()
    cards: dict[str, CardConfig] = Field(default_factory=dict)
    compute: ComputeConfig = ComputeConfig()
    stores: StoresConfig = StoresConfig()

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

    def size(self, name: str) -> PerClass:
        """Images per class of the size called `name`, or `all`. Raises ConfigError if params.yaml has none."""
        return entry_of("size", "sizes", self.sizes, name)

    def backbone(self, name: str) -> BackboneConfig:
        """The backbone called `name`. Raises ConfigError if params.yaml has none."""
        return entry_of("backbone", "backbones", self.backbones, name)
