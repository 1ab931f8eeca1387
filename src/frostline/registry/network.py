"""The network of a version, as it is asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.tapped import PROBABILITIES, STRANGENESS, with_strangeness
from frostline.data.arrays import Told
from frostline.errors import PackageError
from frostline.records.familiarity import Familiarity

__all__ = ["answers_of", "as_answers", "open_network", "together"]


def open_network(folder: Path, model_config: Mapping[str, Any]) -> Any:
    """The network in `folder`. It tells how strange images are, if what is familiar to it lies beside it.

    Raises PackageError if its layers are of a package that is not installed.
    """
    import keras

    try:
        network = keras.saving.load_model(folder / "model.keras", compile=False)
    except TypeError as error:
        if "module keras_hub" not in str(error):
            raise
        raise PackageError(
            f"The network in {folder} has layers of KerasHub, which is not installed: pip install 'frostline[presets]'."
        ) from None
    familiarity = Familiarity.read(folder) if "outliers" in model_config else None
    if familiarity is None:
        return network
    familiar = familiarity.flagging(model_config["outliers"]).familiar
    return with_strangeness(network, familiarity.layer, familiar)


def answers_of(network: Any, images: NDArray[Any]) -> Told:
    """What `network` says of a batch of `images` [N, S, S, 3] in 0..255."""
    found = network.predict_on_batch(images)
    return as_answers(found if isinstance(found, dict) else {PROBABILITIES: found})


def as_answers(found: Mapping[str, Any]) -> Told:
    """Outputs by their names; those of a network that does not tell strangeness are probabilities alone."""
    if STRANGENESS in found:
        return np.asarray(found[PROBABILITIES], dtype=np.float64), np.asarray(found[STRANGENESS], dtype=np.float64)
    (probabilities,) = (np.asarray(each, dtype=np.float64) for each in found.values())
    return probabilities, np.full(len(probabilities), np.nan)


def together(parts: Sequence[Told]) -> Told:
    """What was told of one batch after another."""
    probabilities, strangeness = (np.concatenate(each) for each in zip(*parts, strict=True))
    return probabilities, strangeness
