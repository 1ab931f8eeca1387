"""`params.yaml`, read once into frozen sections; DVC reads the same file for its matrix and its dependencies."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

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
    "SearchConfig",
    "StoresConfig",
    "TrainConfig",
    "load_config",
]


def _is_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ValueError("a name may hold letters, digits and underscores only, because it becomes part of file names")
    return name


def _is_range(bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    if not low <= high:
        raise ValueError(f"a range must be [low, high] with low <= high, but got [{low}, {high}]")
    return bounds


def _is_positive_range(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] <= 0:
        raise ValueError(f"a range searched on a logarithmic scale must be above 0, but got {list(bounds)}")
    return _is_range(bounds)


T = TypeVar("T")
Name = Annotated[str, AfterValidator(_is_name)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
LogRange = Annotated[tuple[float, float], AfterValidator(_is_positive_range)]
StrategyName = Literal["end_of_convnet", "start_of_convnet", "fine_tune", "retrain"]
LinearRange = Annotated[tuple[float, float], AfterValidator(_is_range)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FolderConfig(_Section):
    """A folder with a sub-folder per class, with or without `train/`, `val/` and `test/` above them."""

    source: Literal["folder"]
    path: Path


class CsvConfig(_Section):
    """A CSV file with the columns image and label, and optionally split and group; others are kept as they are."""

    source: Literal["csv"]
    path: Path


class ElpvConfig(_Section):
    """Solar cells from the package `elpv-dataset`, `defective` at or above a defect probability."""

    source: Literal["elpv"]
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.5


class KerasConfig(_Section):
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
    near_duplicate_bits: Annotated[int, Field(ge=0, le=32)] = 2


class PreprocessConfig(_Section):
    """How a picture becomes a square."""

    resize: Literal["stretch", "crop", "pad"]


class BackboneConfig(_Section):
    """A pretrained network: which Keras application, whose weights, at which image size in pixels."""

    application: str | None = None
    weights: str | None = "imagenet"
    image_size: Count | Literal["native"] = "native"


class ProfileConfig(_Section):
    """How cells are measured, and where the regimes meet. `frostline advise` takes the defaults."""

    images: Annotated[int, Field(ge=20)] = 400
    folds: Annotated[int, Field(ge=2)] = 5
    similar_up_to: Annotated[float, Field(gt=0)] = 0.25
    large_per_class: Count = 200
    large_in_all: Count = 2000


class TrainConfig(_Section):
    """How one trial trains and validates."""

    batch_size: Count
    epochs: Count
    budget: Annotated[float, Field(gt=0)]
    patience: Count
    class_weights: bool
    train_batchnorm: bool
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
    holdout_fraction: Fraction
    folds: Annotated[int, Field(ge=2)]
    folds_up_to: Annotated[int, Field(ge=0)]


class SearchConfig(_Section):
    """What Optuna varies, and for how many trials."""

    trials: Count
    startup_trials: Count
    strategies: Literal["auto"] | Annotated[tuple[StrategyName, ...], Field(min_length=1)]
    head_learning_rate: LogRange
    backbone_learning_rate: LogRange
    weight_decay: LogRange
    dropout: LinearRange
    pooling: Annotated[tuple[Literal["average", "maximum", "both"], ...], Field(min_length=1)]
    views: Annotated[tuple[Literal["identity", "mirror", "flips", "dihedral"], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _dropout_is_a_fraction(self) -> "SearchConfig":
        if not (self.dropout[0] >= 0 and self.dropout[1] < 1):
            raise ValueError(f"dropout must lie in [0, 1), but got {list(self.dropout)}")
        return self


class StoresConfig(_Section):
    """Where runs, studies and cached activations are kept between runs."""

    tracking: str
    studies: str
    cache: Path
    cache_gigabytes: Annotated[float, Field(gt=0)]


class Config(_Section):
    """The whole of `params.yaml`."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    datasets: Annotated[dict[Name, DatasetConfig], Field(min_length=1)]
    sizes: Annotated[dict[Name, Count], Field(min_length=1)]
    backbones: Annotated[dict[Name, BackboneConfig], Field(min_length=1)]
    prepare: PrepareConfig
    preprocess: PreprocessConfig
    profile: ProfileConfig
    train: TrainConfig
    search: SearchConfig
    stores: StoresConfig

    def dataset(self, name: str) -> DatasetConfig:
        """The data set called `name`. Raises ConfigError if params.yaml has none."""
        return _entry("data set", "datasets", self.datasets, name)

    def size(self, name: str) -> int:
        """Images per class of the size called `name`. Raises ConfigError if params.yaml has none."""
        return _entry("size", "sizes", self.sizes, name)

    def backbone(self, name: str) -> BackboneConfig:
        """The backbone called `name`. Raises ConfigError if params.yaml has none."""
        return _entry("backbone", "backbones", self.backbones, name)


def _entry(kind: str, section: str, entries: dict[str, T], name: str) -> T:
    if name not in entries:
        raise ConfigError(
            f"No {kind} is called '{name}'. params.yaml names, under {section}: {', '.join(sorted(entries))}."
            f"{_near(name, list(entries))}"
        )
    return entries[name]


def load_config(path: Path = Path("params.yaml")) -> Config:
    """Read and check `path`. Raises ConfigError with one line per fault, each with the nearest known key."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist in {Path.cwd()}. frostline runs in the folder that holds params.yaml: change to it."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path} must hold sections such as 'datasets:', but it holds {type(document).__name__}.")
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        faults = "\n".join(f"  {_fault(item)}" for item in error.errors())
        raise ConfigError(f"{path} has {error.error_count()} fault(s):\n{faults}") from None


def _fault(item: Any) -> str:
    location = [str(part) for part in item["loc"]]
    where = ".".join(location)
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown key.{_near(location[-1], _known_keys(location[:-1]))}"
    if item["type"] == "missing":
        return f"{where}: missing; README and the committed params.yaml explain it."
    return f"{where}: {item['msg'].removeprefix('Value error, ')}; received {item['input']!r}."


def _near(name: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean '{matches[0]}'?" if matches else f" Known: {', '.join(sorted(known))}."


def _known_keys(location: list[str]) -> list[str]:
    """The keys allowed at a place in the file; for a data set, pydantic puts its source after its name."""
    if not location:
        return list(Config.model_fields)
    if location[0] == "datasets":
        sources: dict[str, type[BaseModel]] = {
            "folder": FolderConfig,
            "csv": CsvConfig,
            "elpv": ElpvConfig,
            "keras": KerasConfig,
        }
        return list(sources[location[-1]].model_fields)
    if location[0] == "backbones":
        return list(BackboneConfig.model_fields)
    section = Config.model_fields[location[0]].annotation
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
