"""Names and values that MLflow's stores take, of a user's words."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

from frostline.text.words import visible

__all__ = ["PARAM_LENGTH", "SCHEMA_LENGTH", "TAG_LENGTH", "keys", "stored"]

# Characters that MLflow's stores hold of each, the strictest of them.
PARAM_LENGTH, TAG_LENGTH, SCHEMA_LENGTH = 6000, 5000, 1_048_575
_NOT_IN_KEYS = r"[^\w. -]"
_NAME_LENGTH = 100  # a key may hold 250 characters, but is read in columns of a table
_LIKE_A_KEY = r"-[0-9a-f]{12}$"


def keys(names: Iterable[str]) -> dict[str, str]:
    """A part of a key (after a prefix such as `test_recall/`) for each of different `names`; no two are alike.

    A name that MLflow takes is its own key. Of another there is what MLflow takes, and a digest: so no key depends on
    the other names, but where databases that ignore case and accents would see two of them as one.
    """
    plain = {name: re.sub(_NOT_IN_KEYS, "_", name)[:_NAME_LENGTH].strip(" .") or "_" for name in names}
    alike = Counter(_folded(key) for name, key in plain.items() if key == name)
    return {
        name: key
        if key == name and alike[_folded(key)] == 1 and not re.search(_LIKE_A_KEY, _folded(key))
        else f"{key}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
        for name, key in plain.items()
    }


def stored(text: str, length: int) -> str:
    """`text` as a parameter's or a tag's value: nothing that databases refuse, and `length` characters at most."""
    shown = visible(text, keep="\t\n")
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def _folded(key: str) -> str:
    """What the most careless database compares: neither case nor accents nor forms of one letter."""
    letters = unicodedata.normalize("NFKD", key.casefold())
    return "".join(each for each in letters if not unicodedata.combining(each))
