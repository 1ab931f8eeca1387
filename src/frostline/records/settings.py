"""`params.yaml` with all that it leaves out, as a file of its own: DVC compares values that are written down."""

from pathlib import Path

from ruamel.yaml import YAML

from frostline.config.schema import Config
from frostline.files.atomic import atomic_file

__all__ = ["SETTINGS", "write_settings"]

SETTINGS = Path("data/settings.yaml")

_DECIDE_NOTHING = {"promotion", "compute", "stores"}


def write_settings(config: Config) -> None:
    """Write the sections of `config` that decide what a stage makes, every key of them, to SETTINGS.

    DVC compares these values, not those of params.yaml. So a key may be left out there, and a default that another
    version of frostline changes redoes the stages that it decides.
    """
    values = config.model_dump(mode="json", exclude=_DECIDE_NOTHING)
    with atomic_file(SETTINGS) as file, file.open("w", encoding="utf-8") as stream:
        YAML().dump(values, stream)
