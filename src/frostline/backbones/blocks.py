"""Where a network can be cut: one structural rule for every Keras application.

An *articulation point* is an operation whose output every path from the input to the output passes, so that the network
can be cut there at a single tensor. A block ends at the articulation points where

- parallel branches rejoin, or the tensor fans out into parallel branches (residual units, inception modules), or
- a pooling layer stands outside any branch (the stages of a VGG, stems),

each moved down over the layers that follow without a kernel and without changing the shape (activations, norms). A
gate, which multiplies a tensor by a function of itself (squeeze and excitation), counts as a layer and not as branches.
A plain chain with neither pooling nor branches (MobileNet) is cut wherever its resolution is about to change. Each
block holds at least one kernel, and the last ends at the network's output.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = ["block_ends"]


@dataclass(frozen=True)
class _Point:
    """An articulation point: its operation, and what lies between the point before it and this one (inclusive)."""

    operation: Any
    region: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int | None, ...]:
        return tuple(self.operation.output.shape)

    @property
    def kernel(self) -> bool:
        return any(_has_kernel(operation) for operation in self.region)

    @property
    def rejoins(self) -> bool:
        import keras

        return len(self.region) > 1 and not isinstance(self.operation, keras.layers.Multiply)

    @property
    def pools(self) -> bool:
        import keras

        return isinstance(self.operation, keras.layers.MaxPooling2D | keras.layers.AveragePooling2D)


def block_ends(network: Any) -> list[Any]:
    """The operations at which the blocks of a functional `network` end, from the input on; the last is its output.

    Call it on a network as its constructor made it: operations called again elsewhere have lost their first inputs.
    """
    points = _articulation_points(network)
    marks = {
        position
        for position, (point, following) in enumerate(pairwise(points))
        if point.rejoins or following.rejoins or point.pools
    }
    marks = {_past_activations(points, mark) for mark in marks}
    if not any(point.kernel for mark in marks for point in points[1 : mark + 1]):
        marks = {position for position, (a, b) in enumerate(pairwise(points)) if a.shape[1:-1] != b.shape[1:-1]}
    ends: list[int] = []
    last = 0
    for mark in sorted(marks):
        if any(point.kernel for point in points[last + 1 : mark + 1]):
            ends.append(mark)
            last = mark
    if not any(point.kernel for point in points[last + 1 :]):
        ends.pop()
    return [points[position].operation for position in (*ends, len(points) - 1)]


def _has_kernel(operation: Any) -> bool:
    """Whether a layer (or a model used as one) holds a weight of two dimensions or more, such as a convolution's."""
    return any(len(weight.shape) > 1 for weight in getattr(operation, "weights", ()))


def _past_activations(points: list[_Point], mark: int) -> int:
    while mark + 1 < len(points):
        following = points[mark + 1]
        if len(following.region) > 1 or following.kernel or following.shape != points[mark].shape:
            break
        mark += 1
    return mark


def _articulation_points(network: Any) -> list[_Point]:
    """In topological order; no edge jumps over an articulation point, whichever such order is taken."""
    import keras

    operations = list(network.operations)
    outputs = [keras.tree.flatten(operation.output) for operation in operations]  # several, if it splits a tensor
    position = {id(tensor): index for index, tensors in enumerate(outputs) for tensor in tensors}
    furthest = list(range(len(operations)))
    for index, operation in enumerate(operations[1:], start=1):
        for tensor in keras.tree.flatten(operation.input):
            furthest[position[id(tensor)]] = index
    points: list[_Point] = []
    start = reach = 0
    for index, operation in enumerate(operations):
        if reach <= index and len(outputs[index]) == 1:
            points.append(_Point(operation, tuple(operations[start : index + 1])))
            start = index + 1
        reach = max(reach, furthest[index])
    return points
