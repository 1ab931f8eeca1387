"""Read `params.yaml` once; DVC reads the same file for its matrix and its dependencies."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from frostline.config import BackboneConfig, Config, CsvConfig, ElpvConfig, FolderConfig, KerasConfig
from frostline.errors import ConfigError
from frostline.nearest import did_you_mean
from frostline.redaction import redacted

__all__ = ["load_config"]


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
        return f"{where}: unknown key.{did_you_mean(location[-1], _known_keys(location[:-1]))}"
    if item["type"] == "missing":
        return f"{where}: missing; README and the committed params.yaml explain it."
    return f"{where}: {item['msg'].removeprefix('Value error, ')}; received {redacted(repr(item['input']))}."


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
