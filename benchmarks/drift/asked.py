"""A network, what it answered, and draws of pictures that are compared with its test images."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.tapped import with_strangeness
from frostline.config.schema import Config
from frostline.data.packed import PackedImages
from frostline.evaluation.answered import Answered
from frostline.evaluation.drift import Drift, compare
from frostline.registry.network import answers_of, together
from frostline.runtime.progress import track
from frostline.training.familiarity import familiar_to, tapped_layer

from ..label_errors import best_head
from ..sets import SPLIT, digits
from ..training import make_trainer
from .changes import ALTERATIONS, DEGREES, DIGITS, SAME, VANISHING, altered

AT_ONCE = 32
STRANGERS = 200

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Asked:
    """Answers to the images of a set that were not trained on, to `some` of them after each change, and to digits.

    `test` and `left` are the places in `unseen` of the test split and of the others, `some` those of the altered ones;
    `labels` and `groups` are those of `unseen`.
    """

    unseen: Answered
    changed: Mapping[tuple[str, float], Answered]
    digits: Answered
    labels: Rows
    groups: NDArray[np.str_]
    test: Rows
    left: Rows
    some: Rows

    @property
    def accuracy(self) -> float:
        """On the test images."""
        return float((self.unseen.named == self.labels)[self.test].mean())

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of the classes among the test images."""
        return np.bincount(self.labels[self.test]) / len(self.test)

    def has_enough(self, change: str, pictures: int) -> bool:
        """Whether there are so many pictures to draw from, without one that comes twice."""
        if change == SAME:
            return len(self.labels) // 2 >= pictures
        if change == VANISHING:
            return int((self.labels[self.left] != self.shares.argmin()).sum()) >= pictures
        return len(self.some if change in ALTERATIONS else self.left) >= pictures

    def drawn(self, change: str, degree: float, pictures: int, rng: np.random.Generator) -> Drift:
        """Some pictures after a change, compared with the test images.

        Without a change, both are drawn anew: one from half of the groups of all unseen images, one from the others.
        """
        shares = self.shares
        if change == SAME:
            names = rng.permutation(np.unique(self.groups))
            half = np.isin(self.groups, names[: len(names) // 2])
            test = drawn_by_class(self.labels, np.flatnonzero(half), len(self.test), shares, rng)
            rows = drawn_by_class(self.labels, np.flatnonzero(~half), pictures, shares, rng)
            return compare(self._apart(test), self.unseen.only(rows))
        if change == VANISHING:
            shares[shares.argmin()] *= 1 - degree
        places = self.some if change in ALTERATIONS else self.left
        rows = drawn_by_class(self.labels, places, pictures, shares / shares.sum(), rng)
        answers = self.unseen.only(rows)
        if change in ALTERATIONS:
            answers = self.changed[change, degree].only(np.searchsorted(self.some, rows))
        elif change == DIGITS:
            answers = mixed(answers, self.digits, degree, rng)
        return compare(self._apart(self.test), answers)

    def _apart(self, rows: Rows) -> Answered:
        """One of each group of near duplicates among `rows`, as a version's table is read."""
        return self.unseen.only(rows[np.unique(self.groups[rows], return_index=True)[1]])


def drawn_by_class(labels: Rows, rows: Rows, count: int, shares: NDArray[np.float64], rng: np.random.Generator) -> Rows:
    """`count` of `rows` with these shares of classes; one comes twice only where a class has too few."""
    parts = [rows[labels[rows] == name] for name in range(len(shares))]
    counts = rng.multinomial(count, shares)
    drawn = [rng.choice(part, number, replace=number > len(part)) for part, number in zip(parts, counts, strict=True)]
    return np.concatenate(drawn)


def mixed(answers: Answered, others: Answered, share: float, rng: np.random.Generator) -> Answered:
    """`answers`, of which about a `share` are some of `others`."""
    where, rows = rng.random(len(answers)) < share, rng.integers(len(others), size=len(answers))
    probabilities = np.where(where[:, None], others.probabilities[rows], answers.probabilities)
    return Answered(answers.classes, probabilities, np.where(where, others.strangeness[rows], answers.strangeness))


def ask(config: Config, packed: PackedImages, options: argparse.Namespace) -> Asked:
    """Train on a cell, and ask about all other images."""
    trainer = make_trainer(config, packed, options.per_class)
    settings, _ = best_head(trainer, config)
    network = trainer.refit(settings, 0, SPLIT)
    familiar = familiar_to(network, trainer.setup, settings).flagging(config.serving.outliers)
    network = with_strangeness(network, tapped_layer(trainer.setup, settings), familiar)
    rows = np.setdiff1d(np.arange(len(packed.labels)), trainer.cell.all_rows)
    test, left = (np.flatnonzero((packed.index["split"] == "test").to_numpy()[rows] == is_test) for is_test in (1, 0))
    labels, rng = packed.labels[rows], np.random.default_rng(SPLIT)
    shares = np.bincount(labels[test]) / len(test)
    some = np.unique(drawn_by_class(labels, left, min(options.altered, len(left)), shares, rng))
    cases = [(change, degree) for change in ALTERATIONS for degree in DEGREES[change]]
    return Asked(
        answered(network, packed.images[rows], packed.classes),
        {case: answered(network, altered(packed.images[rows[some]], *case), packed.classes) for case in cases},
        answered(network, digits(packed.image_size).images[:STRANGERS], packed.classes),
        labels,
        packed.index["group"].to_numpy(dtype=str)[rows],
        test,
        left,
        some,
    )


def answered(network: Any, images: NDArray[np.uint8], classes: tuple[str, ...]) -> Answered:
    """What a network that tells strangeness says of `images`."""
    batches = np.array_split(images, range(AT_ONCE, len(images), AT_ONCE))
    told = together([answers_of(network, batch) for batch in track(batches, "Asking", len(batches))])
    return Answered(classes, *told)
