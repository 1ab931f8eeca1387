"""Read `params.yaml` once; DVC reads the same file for its matrix and its dependencies."""

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from frostline.config.datasets import DatasetConfig
from frostline.config.schema import Config
from frostline.errors import ConfigError
from frostline.text.nearest import did_you_mean
from frostline.text.phrases import counted
from frostline.text.redaction import redacted

__all__ = ["load_config"]

_MENDS = {
    "'\\t'": " Indent with spaces, not with tabs.",
    "duplicate key": " Remove or rename one of the two.",
    "escape": " Use single quotes, or / in place of \\.",
    "mapping values are not allowed": " Put a value that holds a colon in quotes, or mend the indentation.",
    "cannot start any token": " Put the value in quotes.",
}
# Keys that older files have, and what to do about them.
_GONE = {
    "search.trials": "search.effort says how much is tried: quick, standard or thorough",
    "search.weight_decay": "no weights decay any more, and a head's penalty is found: remove it",
    "train.budget": "search.effort says on how many images trials may train: quick, standard or thorough",
    "train.head_epochs": "a head is computed, not trained: remove it",
}
_MAPPINGS = ("dict_type", "model_type", "model_attributes_type")
_NO_MAPPING = "must hold indented lines of the form 'name: value'"
# Where pydantic speaks of Python.
_RULES = {
    **dict.fromkeys(_MAPPINGS, _NO_MAPPING),
    "tuple_type": "must be a list in brackets, such as [a, b]",
    "too_short": "must hold {min_length} or more, but holds {actual_length}",
    "too_long": "must hold {max_length} or fewer, but holds {actual_length}",
    "union_tag_invalid": "source must be one of {expected_tags}",
    "path_type": "must be a path",
}


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 80

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(redacted(x), level)  # of an address cut short nobody could tell the password


_SHORT = _Short()


def load_config(path: Path = Path("params.yaml")) -> Config:
    """Read and check `path`. Raises ConfigError with one line per fault, each with the nearest known key."""
    document = _read(path)
    if not isinstance(document, dict):
        held = "is empty" if document is None else f"holds a {type(document).__name__}"
        raise ConfigError(
            f"{path} must hold sections such as 'datasets:', but it {held}. `frostline init` writes one with every key "
            "explained."
        )
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        items = error.errors()
        faulty = {
            item["loc"][:-1] for item in items
        }  # lists of which the faulty values are named, not said to be empty
        faults = [_fault(item) for item in items if item["type"] != "too_short" or item["loc"] not in faulty]
        lines = redacted("\n".join(f"  {fault}" for fault in faults))
        raise ConfigError(f"{path} has {counted(len(faults), 'fault')}:\n{lines}") from None


def _read(path: Path) -> Any:
    """What `path` holds, by the reader and the rules (YAML 1.2) of DVC, so that both read the same."""
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist in {_here()}. frostline runs in the folder that holds params.yaml: change to it."
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise ConfigError(
            f"{path} is not in UTF-8: byte 0x{byte:02x} in line {line} is no character. Save the file as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from None
    except MarkedYAMLError as error:
        mark, problem = error.problem_mark, str(error.problem)
        mend = next((words for sign, words in _MENDS.items() if sign in problem), "")
        raise ConfigError(
            f"{path} is not valid YAML in line {mark.line + 1}, column {mark.column + 1}: {problem}.{mend}"
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:  # of a control character, a date that is none, [[[[...
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None


def _fault(item: Any) -> str:
    *above, key = item["loc"]
    where = ".".join(map(str, item["loc"]))
    if item["type"] == "invalid_key" or (item["type"] == "string_type" and key == "[key]"):
        return f"{where.removesuffix('.[key]')}: {_no_text(item['input'])}"
    if item["type"] == "extra_forbidden":
        gone = _GONE.get(where)
        return f"{where}: no longer a key; {gone}." if gone else f"{where}: unknown key.{_nearest(key, above)}"
    if item["type"] in ("missing", "union_tag_not_found"):
        where += ".source" if item["type"] == "union_tag_not_found" else ""
        return f"{where}: missing; `frostline init` writes a file with every key explained."
    plain = _RULES.get(item["type"])
    rule = plain.format(**item.get("ctx", {})) if plain else item["msg"].removeprefix("Value error, ")
    return f"{where}: {rule}; received {_SHORT.repr(item['input'])}."


def _no_text(key: object) -> str:
    """What to do about a key that YAML takes for a number, a truth value, a date or nothing at all."""
    text = str(key).lower() if isinstance(key, bool) else str(key)
    plain = isinstance(key, int) and text.isalnum()
    mend = f'put it in quotes, "{text}"' if plain else "rename it, in letters, digits and underscores"
    return f"a name must be text, but YAML takes this one for {_SHORT.repr(key)} ({type(key).__name__}): {mend}."


def _here() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return "this folder, which is gone"


def _nearest(key: str, location: Sequence[Any]) -> str:
    """What may have been meant by `key` at a place in the file; pydantic puts a data set's source after its name."""
    known: Any = Config
    if location and location[0] == "datasets":
        sources = get_args(get_args(DatasetConfig)[0])
        source, *location = location[2:]
        known = next(each for each in sources if source in get_args(each.model_fields["source"].annotation))
    for name in location:
        known = get_args(known)[-1] if get_origin(known) is dict else known.model_fields[name].annotation
    return did_you_mean(key, known.model_fields)
