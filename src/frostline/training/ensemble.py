"""Several heads on one backbone as one head: the mean of linear functions of the same features is one, too."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from frostline.training.ridge import LinearHead, Moments
from frostline.training.settings import Member, TrialSettings

__all__ = ["join", "member_settings"]


def member_settings(settings: TrialSettings) -> list[TrialSettings]:
    """Each member of an ensemble as a head of its own, on frozen blocks, under the same views."""
    own = {"members": ()}
    return [
        settings.head.model_copy(
            update=own | {"blocks": member.blocks, "freeze_depth": member.blocks[-1], "pooling": member.pooling}
        )
        for member in settings.members
    ]


def join(
    heads: Sequence[LinearHead], settings: TrialSettings, channels: Mapping[int, int], moments: Moments
) -> LinearHead:
    """The one head that gives the mean of the logits of `heads`, the members of `settings`, by their shares.

    It reads both averages and maxima of all blocks that a member reads; `channels` says how many a block has.
    `moments` are of all these features: those that no member reads may be of use once blocks are thawed.
    """
    ends = np.cumsum([2 * channels[block] for block in settings.blocks]).tolist()
    starts = dict(zip(settings.blocks, [0, *ends[:-1]], strict=True))
    width, classes = ends[-1], len(heads[0].bias)
    kernel, bias = np.zeros((width, classes), dtype=np.float32), np.zeros(classes, dtype=np.float32)
    for head, member in zip(heads, settings.members, strict=True):
        places = np.concatenate([_places(member, starts[block], channels[block]) for block in member.blocks])
        kernel[places] += np.float32(member.share) * head.kernel
        bias += np.float32(member.share) * head.bias
    return LinearHead(*moments, kernel, bias)


def _places(member: Member, start: int, channels: int) -> NDArray[np.int64]:
    """Where a block, whose averages begin at `start` and are followed by its maxima, has what a member reads."""
    first = start + channels * (member.pooling == "maximum")
    return np.arange(first, first + channels * (2 if member.pooling == "both" else 1))
