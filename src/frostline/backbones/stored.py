"""The layers that a file of Keras holds, by networks: what is read is numbers, names and shapes, never code.

Keras 3 writes `.weights.h5` files, and `.keras` archives with one inside. Under `layers/` of each network, nested ones
too, stand its layers, named by class and number, with their own names as an attribute. Keras 1 and 2 wrote `.h5` files
(Keras 3 can): a group per layer, under `model_weights` if the whole model was saved; one that holds the tensors of a
nested network lists those that are trained first.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["StoredLayer", "stored_networks"]

_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")


@dataclass(frozen=True)
class StoredLayer:
    """A layer with weights in a file: its name, if the file tells it; its kind, such as `conv2d`; its tensors.

    Tensors are of h5py, which reads their values when it is asked for them.
    """

    name: str | None
    kind: str
    tensors: tuple[Any, ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of its tensors."""
        return tuple(tuple(each.shape) for each in self.tensors)

    def values(self) -> list[NDArray[np.float32]]:
        """Its tensors, read now."""
        return [np.asarray(each[()], dtype=np.float32) for each in self.tensors]


@contextmanager
def stored_networks(path: Path) -> Iterator[list[list[StoredLayer]]]:
    """The networks in the file at `path`, each as its layers with weights, in the order in which they were built.

    Raises OSError, KeyError, ValueError, RuntimeError or zipfile.BadZipFile if the file is damaged.
    """
    import h5py

    source: Any = path
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            source = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(source, "r") as file:
        group = file.get("model_weights", file)
        yield _flat(group) if _names(group, "layer_names") else _nested(file)


def _nested(file: Any) -> list[list[StoredLayer]]:
    """Those of Keras 3: of each group that holds layers, these and the layers of groups within."""
    import h5py

    found: dict[str, list[StoredLayer]] = {}

    def visit(path: str, group: Any) -> None:
        above, _, last = path.rpartition("/")
        container, _, key = above.rpartition("/")
        if last != "vars" or container.rpartition("/")[2] not in _CONTAINERS or not isinstance(group, h5py.Group):
            return
        tensors = tuple(_tensor(group, name) for name in sorted(group, key=int))
        if tensors:
            name = group.attrs.get("name")
            found.setdefault(container, []).append(StoredLayer(name and str(name), key, tensors))

    file.visititems(visit)
    own = {
        container: [StoredLayer(each.name, _base(each.kind), each.tensors) for each in sorted(layers, key=_number)]
        for container, layers in found.items()
    }
    return [
        [layer for container, layers in own.items() if f"{container}/".startswith(f"{above}/") for layer in layers]
        for above in own
    ]


def _number(layer: StoredLayer) -> int:
    found = re.search(r"_(\d+)$", layer.kind)
    return int(found[1]) if found else 0


def _flat(group: Any) -> list[list[StoredLayer]]:
    """Those of Keras 1 and 2: all layers, those of the outer network alone, and those of each nested one."""
    groups = [_by_layer(group[name], name) for name in _names(group, "layer_names")]
    outer = [layer for layers in groups if len(layers) == 1 for layer in layers]
    return [[layer for layers in groups for layer in layers], outer, *(each for each in groups if len(each) > 1)]


def _by_layer(group: Any, name: str) -> list[StoredLayer]:
    """The tensors of a group by the layers that their names tell: `conv1/kernel:0` is of `conv1`."""
    tensors: dict[str, list[Any]] = {}
    for weight in _names(group, "weight_names"):
        tensors.setdefault(weight.rpartition("/")[0].rpartition("/")[2], []).append(_tensor(group, weight))
    if len(tensors) == 1:
        (only,) = tensors.values()
        return [StoredLayer(name, _base(name), tuple(only))]
    return [StoredLayer(layer, _base(layer), tuple(each)) for layer, each in tensors.items()]


def _tensor(group: Any, name: str) -> Any:
    """A tensor whose numbers lie in this file: HDF5 could fetch them from others."""
    import h5py

    found = group[name]
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external or found.dtype.kind not in "fiu":
        raise ValueError(f"{found.name} holds no numbers of its own")
    return found


def _names(group: Any, attribute: str) -> list[str]:
    """A list of names among the attributes, in several parts where it is long."""
    parts = [attribute] if attribute in group.attrs else []
    parts = parts or [name for name in (f"{attribute}{part}" for part in range(1000)) if name in group.attrs]
    names = [name for part in parts for name in group.attrs[part]]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _base(name: str) -> str:
    return re.sub(r"_\d+$", "", name)
