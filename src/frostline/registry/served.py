"""The served model, in MLflow's models-from-code form: MLflow runs this file to load it, so nothing is pickled.

Pictures are decoded by the function that `preprocess` uses, so what is served sees what was trained on.
"""

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from frostline.backbones.viewed import images_at_once, views_in
from frostline.data.images import load_square, quiet_decoders
from frostline.data.levels import Levels
from frostline.errors import ImageError
from frostline.registry.encoded import picture_bytes
from frostline.registry.network import answers_of, open_network

__all__ = ["ServedClassifier"]


class ServedClassifier(PythonModel):  # type: ignore[misc]  # mlflow has no types
    """Encoded pictures in, labels out; `model_config` holds classes, image_size, resize, limits and levels.

    Threads may call it at once, as MLflow's server does: they take turns, so that one picture is decoded and one batch
    predicted at a time, whatever they ask for.
    """

    def load_context(self, context: Any) -> None:
        """Load the network; called once."""
        self._network = open_network(Path(context.artifacts["network"]).parent, context.model_config)
        self._at_once = images_at_once(views_in(self._network))
        self._config = context.model_config
        self._tells = "outliers" in context.model_config
        self._levels = Levels.from_dict(context.model_config["levels"])
        self._turn = threading.Lock()

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """A row per row of `model_input`, whose column `image` holds the bytes of image files, or their base64, or
        what `decode` made of them.

        Columns: `label` (the likeliest class), `probability` (of that class), `known` and `strangeness`, `error`, and
        for each class `probability_<class>` (in [0, 1], of sum 1). `strangeness` is a distance from the training
        images, at least 0; above 1 a picture is not `known`, and its label means little. Networks of before have
        neither. A picture that cannot be used has a reason in `error`, an empty label and no numbers; elsewhere
        `error` is empty.
        """
        images = list(model_input["image"])
        batches = [images[start : start + self._at_once] for start in range(0, len(images), self._at_once)]
        rows = [row for batch in batches for row in self._batch(batch)]
        answer = pd.DataFrame(rows, columns=self._columns, index=model_input.index)
        return answer.astype({"known": object}) if self._tells else answer  # one dtype, with a None in it or not

    def decode(self, image: Any) -> np.ndarray[Any, Any]:
        """An encoded picture as uint8 [size, size, 3], which `predict` takes in its place.

        Threads may call it at once; it is for them to bound what they do. Raises ImageError.
        """
        config = self._config
        try:
            return load_square(
                picture_bytes(image),
                config["image_size"],
                config["resize"],
                min_side=config["min_side"],
                max_pixels=config["max_pixels"],
                levels=self._levels,
            )
        except MemoryError:
            raise ImageError("no_memory", "there is too little to decode it") from None

    @property
    def _columns(self) -> list[str]:
        known = ["known", "strangeness"] if self._tells else []
        return ["label", "probability", *known, "error", *(f"probability_{name}" for name in self._config["classes"])]

    def _batch(self, images: list[Any]) -> list[list[Any]]:
        """A row for each of a few pictures."""
        config = self._config
        squares = np.zeros((len(images), config["image_size"], config["image_size"], 3), dtype=np.uint8)
        errors = [""] * len(images)
        for position, image in enumerate(images):
            try:
                squares[position] = self._square(image)
            except ImageError as error:
                errors[position] = str(error)
        with self._turn:
            probabilities, strangeness = answers_of(self._network, squares)
        return [
            self._row(error, *found)
            for error, *found in zip(errors, probabilities.tolist(), strangeness.tolist(), strict=True)
        ]

    def _row(self, error: str, probabilities: list[float], strangeness: float) -> list[Any]:
        if error:
            probabilities, strangeness = [math.nan] * len(probabilities), math.nan
        label = "" if error else self._config["classes"][int(np.argmax(probabilities))]
        known = [None if error else strangeness <= 1, strangeness] if self._tells else []
        return [label, float(np.max(probabilities)), *known, error, *probabilities]

    def _square(self, image: Any) -> np.ndarray[Any, Any]:
        if isinstance(image, np.ndarray):  # from `decode`
            return image
        with self._turn, quiet_decoders():
            return self.decode(image)


set_model(ServedClassifier())
