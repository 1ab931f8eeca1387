"""Names of layers that do not depend on what was built before them in the process."""

import re
from typing import Any

__all__ = ["stable_names"]


def stable_names(network: Any) -> dict[str, str]:
    """New names of the layers that Keras named, which it numbers through the process: numbered through the network.

    A layer that every path through a network passes has the same one in each network that begins with the same layers.
    """
    seen: dict[str, int] = {}
    names = {}
    for operation in network.operations:
        base = re.sub(r"_\d+$", "", operation.name)
        if base.replace("_", "") == type(operation).__name__.lower():
            count = seen.get(base, 0)
            seen[base] = count + 1
            names[operation.name] = f"{base}_{count}" if count else base
    return names
