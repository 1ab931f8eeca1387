"""Which layers of a file are those of a network, and their numbers put into it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from frostline.backbones.imagenet import undivided
from frostline.backbones.layers import leaves
from frostline.backbones.stored import StoredLayer
from frostline.text.phrases import listed

__all__ = ["Unfit", "fill_from_stored"]


class Unfit(Exception):
    """No network in the file is that one; the message says in words what differs."""


@dataclass(frozen=True)
class _Fit:
    """A stored layer for each layer of the network, or what differs; and stored layers that are left over."""

    layers: tuple[StoredLayer, ...]
    differences: tuple[str, ...]
    left: tuple[StoredLayer, ...]

    @property
    def foreign(self) -> tuple[str, ...]:
        """What is left over that belongs to no top: convolutions over more than a point are of a larger network."""
        return tuple(
            f"{layer.name or layer.kind} {shape}"
            for layer in self.left
            for shape in layer.shapes
            if len(shape) == 4 and shape[:2] != (1, 1)
        )

    def objections(self) -> tuple[str, ...]:
        """Why it does not fit, in words; nothing if it does."""
        return self.differences or tuple(f"{each} is not in the network" for each in self.foreign)


def fill_from_stored(network: Any, networks: Sequence[Sequence[StoredLayer]]) -> None:
    """Give `network` the numbers of that one of `networks` which has all its layers, and a top perhaps.

    Layers with names of their own are found by them. Others (`conv2d_7`), and all of files that tell no names, are
    found by kind and order. Raises Unfit if none has them, if several have, or if a number in it is not finite.
    """
    layers = [layer for layer in leaves(network) if layer.weights]
    fits = [_fit(layers, each) for each in networks]
    good = list({fit.layers: fit for fit in fits if not fit.objections()}.values())
    if len(good) > 1:
        raise Unfit(f"it holds {len(good)} such networks: save the one that is meant")
    if not good:
        if not any(networks):
            raise Unfit("it holds no layers with weights")
        nearest = min(fits, key=lambda fit: (len(fit.differences), len(fit.foreign)))
        raise Unfit(listed(nearest.objections(), most=4))
    for layer, stored in zip(layers, good[0].layers, strict=True):
        _give(layer, stored)


def _fit(layers: Sequence[Any], stored: Sequence[StoredLayer]) -> _Fit:
    by_name = {each.name: each for each in stored if each.name}
    named = [layer for layer in layers if not _is_numbered(layer)]
    known = any(layer.name in by_name for layer in named)
    chosen = {layer.name: by_name.get(layer.name) for layer in named} if known else {}
    for kind in dict.fromkeys(_kind(layer) for layer in layers if layer.name not in chosen):
        wanted = [layer for layer in layers if layer.name not in chosen and _kind(layer) == kind]
        taken = {id(each) for each in chosen.values()}
        chosen |= _in_order(wanted, [each for each in stored if each.kind == kind and id(each) not in taken])
    pairs = [(layer, chosen[layer.name]) for layer in layers]
    used = {id(each) for each in chosen.values()}
    return _Fit(
        tuple(each for _, each in pairs if each),
        tuple(_difference(layer, each) for layer, each in pairs if each is None or each.shapes != _shapes(layer)),
        tuple(each for each in stored if id(each) not in used),
    )


def _in_order(layers: Sequence[Any], offered: Sequence[StoredLayer]) -> dict[str, StoredLayer | None]:
    """As they stand in the file; or by their numbers, where those that were trained stand first."""
    for given, order in (layers, offered), (sorted(layers, key=_number), sorted(offered, key=_number)):
        wanted = [_shapes(layer) for layer in given]
        for start in range(len(order) - len(given) + 1):
            run = order[start : start + len(given)]
            if [each.shapes for each in run] == wanted:
                return {layer.name: each for layer, each in zip(given, run, strict=True)}
    return {layer.name: each for layer, each in zip_longest(layers, offered[: len(layers)])}


def _give(layer: Any, stored: StoredLayer) -> None:
    import keras

    values = stored.values()
    if not all(np.isfinite(each).all() for each in values):
        raise Unfit(f"{layer.name} holds numbers that are not finite")
    if isinstance(layer, keras.layers.Normalization):
        if undivided(values[1]):
            values[1] = np.square(values[1])
        layer.set_weights(values)
        layer.finalize_state()
    else:
        layer.set_weights(values)


def _difference(layer: Any, stored: StoredLayer | None) -> str:
    wanted = " ".join(map(str, _shapes(layer)))
    return f"{layer.name} {wanted} is " + (f"{' '.join(map(str, stored.shapes))} there" if stored else "not there")


def _shapes(layer: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(weight.shape) for weight in layer.weights)


def _kind(layer: Any) -> str:
    """As Keras writes the class of a layer in files: `conv2d`, `batch_normalization`."""
    words = re.sub(r"\W+", "", type(layer).__name__)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", words)).lower()


def _is_numbered(layer: Any) -> bool:
    """Whether Keras named it, by its class."""
    return re.sub(r"_\d+$", "", str(layer.name)) == _kind(layer)


def _number(layer: Any) -> int:
    found = re.search(r"_(\d+)$", str(layer.name))
    return int(found[1]) if found else 0
