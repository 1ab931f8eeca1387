"""How well a network tells pictures that are like no training image, by how it is asked.

    python -m benchmarks.outliers --dogs-cats FOLDER

For each data set and seed a cell is drawn, and a head on frozen VGG16 fitted to it. It is asked about test images,
which are familiar, and about strangers: the other data sets, blank pictures, noise, pages of text, and its own test
images inverted or turned by 90 degrees. Compared are the distance that frostline serves (Lee et al. 2018), at three
blocks; the mean cosine distance to the 10 nearest training images (Sun et al. 2022, arXiv 2204.06507); and of the
head's logits the energy (Liu et al. 2020, arXiv 2010.03759) and the largest probability. Each has the threshold that 1%
of the training images exceed when they are held out. With the first seed, a network whose every block was trained is
asked, too.

Adds rows to `outliers.csv` as it goes on, where those that are there are kept. Writes to `outliers-cost.csv` how many
times as long a network takes that tells strangeness (median and quartiles of 20 rounds). Prints tables.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from frostline.backbones.readout import compress
from frostline.backbones.tapped import tap, tapped_block
from frostline.config.load import load_config
from frostline.data.splits import cross_folds
from frostline.statistics.familiar import conformal_bound, fit_familiar
from frostline.training.familiarity import familiar_to
from frostline.training.trial import Trainer

from ..measuring import Option, describe, finished, machine, markdown_table, parse, record, spread
from ..sets import OPTIONS, SPLIT
from ..training import make_trainer, standard
from .cost import costs
from .pictures import Images, data_sets, strangers, tested

FILE = "outliers.csv"
KEY = ["dataset", "seed", "score"]
SHARE = 0.01
NEIGHBOURS = 10
DEPTH = 5
BLOCKS = (3, 4, 5)
FAMILIAR = "familiar"
DISTANCE, NEAREST, ENERGY, LARGEST = "distance", "neighbours", "energy", "largest probability"
HEADS = (*(f"{kind}, block {block}" for kind in (DISTANCE, NEAREST) for block in BLOCKS), ENERGY, LARGEST)
TRAINED = f"distance, block {tapped_block(DEPTH)}, all blocks trained"

Vectors = Mapping[int, NDArray[np.floating[Any]]]
"""Compressed pooled vectors [N, 2C] by block."""


class Score(NamedTuple):
    """How strange training images are that are held out, and pictures by their vectors; more is stranger."""

    held_out: NDArray[np.floating[Any]]
    of: Callable[[Vectors], NDArray[np.floating[Any]]]


def main() -> None:
    options = parse(
        __doc__,
        **OPTIONS,
        pictures=Option(200, smallest=6, help="of each kind, to be asked about"),
        seeds=Option([0, 1, 2], smallest=[0]),
        epochs=Option(3, smallest=1, help="of training, where all blocks are trained"),
    )
    file, sets = options.output / FILE, data_sets(options)
    asked = {name: one.images[tested(one)[: options.pictures]] for name, (_, one) in sets.items()}
    for name, (config, packed) in sets.items():
        pictures = {FAMILIAR: asked[name]} | strangers(name, asked, options.pictures)
        vectors: dict[str, Vectors] = {}
        for seed in options.seeds:
            seeded = config.model_copy(update={"seed": SPLIT + seed})
            trainer = make_trainer(seeded, packed, options.per_class)
            found = {score: partial(of_heads, trainer, score) for score in HEADS}
            if seed == options.seeds[0]:
                found[TRAINED] = partial(of_trained, trainer, pictures, options.epochs)
            left = [score for score in found if (name, seed, score) not in finished(file, KEY)]
            if left and not vectors:
                vectors = {kind: vectors_of(trainer, images) for kind, images in pictures.items()}
            for score in left:
                for row in compared(*found[score](vectors)):
                    record({"dataset": name, "seed": seed, "score": score} | row, file)
    cost = pd.DataFrame(costs(trainer, DEPTH, [1, 32])).assign(**machine())
    cost.to_csv(options.output / "outliers-cost.csv", index=False)
    print(*map(markdown_table, (*tables(pd.read_csv(file)), cost.iloc[:, :6])), describe(), sep="\n\n")


def vectors_of(trainer: Trainer, images: Images, network: Any = None) -> Vectors:
    """What frozen blocks give of `images`, or those of `network`, a whole one."""
    names = trainer.backbone.block_names
    network = network or trainer.backbone.network
    return {
        block: compress(tap(network, names[block - 1]).predict(images, batch_size=32, verbose=0)) for block in BLOCKS
    }


def of_heads(trainer: Trainer, score: str, vectors: Mapping[str, Vectors]) -> tuple[Score, Mapping[str, Vectors]]:
    """The score called `score` of a head on frozen blocks."""
    rows, settings = trainer.cell.all_rows, standard(load_config().search, DEPTH, views="identity")
    kind, _, block = score.partition(", block ")
    if kind in (ENERGY, LARGEST):
        head = trainer.heads.fit(settings, rows)
        strange = {ENERGY: lambda x: -logsumexp(x, axis=1), LARGEST: lambda x: -softmax(x, axis=1).max(axis=1)}[kind]
        held_out = trainer.heads.scores(settings)
        return Score(
            strange(held_out.logits[0] / held_out.temperature),
            lambda found: strange(head.logits(np.sinh(found[DEPTH]))),
        ), vectors
    known = compress(trainer.setup.vectors.average(("identity",), int(block), rows))
    (folds,) = cross_folds(trainer.cell.packed.index, rows, 5, 1, SPLIT)
    places = [(np.searchsorted(rows, some), np.searchsorted(rows, held)) for some, held in folds]
    if kind == NEAREST:
        held = [distance_to(known[some], known[out]) for some, out in places]
        return Score(np.concatenate(held), lambda found: distance_to(known, found[int(block)])), vectors
    familiar = fit_familiar(known, trainer.cell.packed.labels[rows], places)
    return Score(familiar.held_out, lambda found: familiar.distances(found[int(block)])), vectors


def of_trained(
    trainer: Trainer, pictures: Mapping[str, Images], epochs: int, _: Mapping[str, Vectors]
) -> tuple[Score, Mapping[str, Vectors]]:
    """The served score of a network whose every block was trained, and its own vectors of `pictures`."""
    settings = standard(load_config().search, DEPTH, DEPTH, views="identity")
    network = trainer.refit(settings, epochs, SPLIT)
    familiar = familiar_to(network, trainer.setup, settings)
    assert familiar is not None
    own = {kind: vectors_of(trainer, images, network) for kind, images in pictures.items()}
    return Score(familiar.held_out, lambda found: familiar.distances(found[tapped_block(DEPTH)])), own


def distance_to(known: NDArray[np.floating[Any]], asked: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The mean cosine distance of each of `asked` to the nearest of `known`."""
    nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(known)), metric="cosine").fit(known)
    return np.asarray(nearest.kneighbors(asked)[0].mean(axis=1))


def compared(score: Score, vectors: Mapping[str, Vectors]) -> Iterator[dict[str, object]]:
    """A row per kind of picture: how many are flagged, and how well it is told from the familiar (AUROC)."""
    held_out = np.sort(score.held_out)
    bound = conformal_bound(held_out, SHARE)
    familiar = score.of(vectors[FAMILIAR])
    for kind, found in vectors.items():
        strange = score.of(found)
        both = np.concatenate([familiar, strange])
        told = roc_auc_score(np.repeat([0, 1], [len(familiar), len(strange)]), both) if kind != FAMILIAR else None
        yield {
            "pictures": kind,
            "images": len(strange),
            "training_images": len(held_out),
            "flagged": int((strange > bound).sum()),
            "auroc": told and round(float(told), 4),
        }


def tables(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """AUROC, and what is flagged, by score and kind of picture: means over seeds, with their range."""
    rows = rows.assign(flagged=100 * rows["flagged"] / rows["images"])
    for name, of_set in rows.groupby("dataset", sort=False):
        for column, places in (("auroc", 3), ("flagged", 1)):
            cells = of_set.groupby(["score", "pictures"], sort=False)[column].agg(partial(spread, places=places))
            table = cells.unstack("pictures").reset_index()
            yield table.rename(columns={"score": f"{name}: {column}" + (" (%)" if column == "flagged" else "")})


if __name__ == "__main__":
    main()
