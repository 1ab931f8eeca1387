"""What one server has: the version that answers, the threads that work for it, and what all requests share."""

import asyncio
import gc
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from starlette.requests import ClientDisconnect, Request

from frostline.backbones.viewed import images_at_once
from frostline.data.budget import DECODE_LIMIT
from frostline.data.parallel import cores
from frostline.errors import ImageError
from frostline.evaluation.drift import Drift
from frostline.registry.models import LoadedVersion
from frostline.serving.admission import Admission
from frostline.serving.joint import Joint, Row
from frostline.serving.limits import Refused, ServingLimits
from frostline.serving.metrics import Metrics
from frostline.serving.portions import Picture, portions
from frostline.serving.request import read_pictures
from frostline.serving.turns import Turns
from frostline.serving.window import Window

__all__ = ["Answering", "Service"]

_SECONDS_BETWEEN_LOOKS = 0.05


class Answering:
    """A loaded version that answers requests: their pictures are decoded one by one, and labelled several at once."""

    def __init__(self, version: LoadedVersion, limits: ServingLimits, predicting: Turns, metrics: Metrics) -> None:
        self.name = version.name
        self.number = version.number
        self.at_once = images_at_once(version.views)
        self.requests = 0
        self._model = version.model
        self._metrics = metrics
        # Versions that were registered before there was `decode` do it in `predict`.
        self._decode = getattr(version.model.unwrap_python_model(), "decode", None)
        self.window = Window(version, limits.window)
        self.joint = Joint(predicting, self._predict, min(self.at_once, limits.joined))

    @property
    def busy(self) -> bool:
        """Whether it has requests, or pictures of one that was given up."""
        return self.requests > 0 or self.joint.busy

    def warm_up(self) -> None:
        """Let the network be compiled: for one picture, and then for any number. Neither is a picture."""
        for count in (1, 2):
            self._model.predict(pd.DataFrame({"image": [b""] * count}))

    def decoded(self, picture: Picture) -> Picture:
        """`picture`, decoded; or with the reason why it cannot be."""
        if picture.error or self._decode is None:
            return picture
        try:
            return replace(picture, content=self._decode(picture.content))
        except ImageError as error:
            return Picture(b"", 0, str(error))

    def _predict(self, pictures: Sequence[Picture]) -> list[Row]:
        answer: pd.DataFrame = self._model.predict(pd.DataFrame({"image": [each.content for each in pictures]}))
        told = zip(answer.to_dict("records"), pictures, strict=True)
        rows = [_plain(row | ({"error": each.error} if each.error else {})) for row, each in told]
        self._metrics.labelled(rows)
        self.window.add(rows)
        return rows


class Service:
    """One server's state. `take_up` and `free_former` are for a thread of their own, all else for the event loop's."""

    def __init__(self, limits: ServingLimits) -> None:
        self.limits = limits
        self.metrics = Metrics()
        self.version: Answering | None = None
        self.stopping = False
        self._former: list[Answering] = []
        self._admission = Admission(limits)
        self._reading, self._predicting, self._comparing = Turns(), Turns(), Turns()
        self._decoding = Turns(cores(), DECODE_LIMIT)
        self.metrics.watch("requests_in_flight", "Requests that have begun and have no answer.", lambda: self.open)
        self.metrics.watch("body_bytes", "Bytes of their bodies.", lambda: self._admission.held)
        self.metrics.watch("decodes_waiting", "Pictures that wait to be decoded.", lambda: self._decoding.waiting)
        self.metrics.watch("portions_waiting", "Parts of requests that wait for the network.", self._portions)
        self.metrics.watch("window_pictures", "Pictures that GET /drift compares.", self._window)

    @property
    def open(self) -> int:
        """How many requests have begun and have no answer yet."""
        return self._admission.open

    def _portions(self) -> int:
        return self.version.joint.waiting if self.version else 0

    def _window(self) -> int:
        return len(self.version.window) if self.version else 0

    def take_up(self, loaded: LoadedVersion) -> None:
        """Let `loaded` answer from the next request on. Requests that have begun are answered by the one before it.

        Raises what `loaded` raises on its first pictures.
        """
        version = Answering(loaded, self.limits, self._predicting, self.metrics)
        version.warm_up()
        self.metrics.champion(version.name, version.number, first=self.version is None)
        self._former += [self.version] if self.version else []
        self.version = version

    def free_former(self) -> None:
        """Wait until the versions before have answered all that they had begun, and give their memory back."""
        while any(version.busy for version in self._former):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        self._former.clear()
        gc.collect()  # networks are full of cycles, which Python else looks for when they have become many

    def current(self) -> Answering:
        """The version that answers a request that comes now. Raises Refused (503)."""
        if self.stopping:
            raise Refused(503, "The server is stopping.", "stopping")
        if self.version is None:
            raise Refused(503, "The model is being loaded: ask again in a moment.", "loading")
        return self.version

    async def drift(self, version: Answering) -> Drift:
        """Whether the last pictures that `version` labelled are like the test images. Raises Refused (404)."""
        return await self._comparing.take(1, version.window.drift)

    async def label(self, request: Request, version: Answering) -> list[Row]:
        """A row per picture of `request`, by `version`.

        `request.state.pictures` is how many there are, as soon as that is known. Raises Refused and ClientDisconnect,
        and what `version` raises.
        """
        version.requests += 1
        try:
            async with self._admission.body(request) as body:
                pictures = await self._reading.take(len(body), read_pictures, body, self.limits)
                request.state.pictures = len(pictures)
                body.clear()  # the pictures take its place
                rows = []
                for portion in portions(pictures, version.at_once):
                    if await request.is_disconnected():
                        raise ClientDisconnect
                    decoding = [self._decoding.take(each.decoding, version.decoded, each) for each in portion]
                    rows += await version.joint.label(await asyncio.gather(*decoding))
                return rows
        finally:
            version.requests -= 1


def _plain(row: dict[Any, Any]) -> Row:
    """JSON has no NaN."""
    return {str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
