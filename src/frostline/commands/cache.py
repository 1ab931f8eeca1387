"""`frostline cache`: what the prefix cache holds, and making it smaller."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from frostline.cache.folder import CacheFolder, Entry
from frostline.config.load import load_config
from frostline.runtime.progress import say
from frostline.runtime.terminal import console, plain
from frostline.stores.addresses import cache_folder
from frostline.text.phrases import counted

__all__ = ["prune", "show"]

_UNKNOWN = {"backbone": "unknown", "image_size": "", "precision": "", "view": "", "images": ""}


def show() -> None:
    """Print what is cached, by network, data and view, the most recently used last, and the limit."""
    stores = load_config().stores
    entries = CacheFolder(cache_folder(stores)).entries()
    table = Table("network", "image size", "precision", "view", "data", "contents", "GB", "last used")
    groups: dict[Path, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.path.parent, []).append(entry)
    for held in sorted(groups.values(), key=_last_used):
        about = _UNKNOWN | held[0].identity
        table.add_row(
            plain(about["backbone"]),
            str(about["image_size"]),
            about["precision"],
            about["view"],
            about["images"][:8],
            _contents(held),
            f"{_gigabytes(held):.3f}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(_last_used(held))),
        )
    console().print(table)
    say(f"{_gigabytes(entries):.3f} GB of {stores.cache_gigabytes:g} GB in {stores.cache} (stores in params.yaml).")


def prune(gigabytes: float | None) -> None:
    """Delete the least recently used files until `gigabytes`, or else `stores.cache_gigabytes`, are met."""
    stores = load_config().stores
    limit = stores.cache_gigabytes if gigabytes is None else gigabytes
    folder = CacheFolder(cache_folder(stores))
    deleted = folder.prune(limit * 1e9)
    left = folder.entries()
    say(
        f"Deleted {counted(len(deleted), 'file')} ({_gigabytes(deleted):.3f} GB); "
        f"{len(left)} ({_gigabytes(left):.3f} GB) are left. What is missed is computed again."
    )


def _contents(entries: Sequence[Entry]) -> str:
    """Activations by block, and how many trainings: `pooled 1 2 3, map 3`, or `2 folds, 1 network`."""
    names: dict[str, list[str]] = {"pooled": [], "map": [], "fold": [], "network": []}
    for entry in entries:
        kind, _, which = entry.name.partition("-")
        names.setdefault(kind, []).append(which)
    blocks = [f"{kind} {' '.join(sorted(names.pop(kind), key=int))}" for kind in ("pooled", "map") if names[kind]]
    return ", ".join(blocks + [counted(len(found), kind) for kind, found in names.items() if found])


def _last_used(entries: Sequence[Entry]) -> float:
    return max(entry.used for entry in entries)


def _gigabytes(entries: Sequence[Entry]) -> float:
    return sum(entry.bytes for entry in entries) / 1e9
