"""Workers in virtual time: what they train is looked up, what it takes is added up, and nobody waits."""

from collections.abc import Collection, Generator
from heapq import heappop, heappush

from numpy.typing import NDArray

from frostline.compute.stepping import Stepping
from frostline.compute.workers import Job, Reply
from frostline.config.schema import Config
from frostline.training.memo import Epoch
from frostline.training.metrics import Metrics
from frostline.training.reports import EpochReport, FoldReport
from frostline.training.settings import TrialSettings

from ..replay.stand_in import Replayed
from ..replay.world import World
from .pace import Pace


class Metered(Replayed):
    """Counts the images that it is asked to train on, through every block; metrics that it has computed it keeps."""

    def __init__(self, world: World, config: Config) -> None:
        super().__init__(world, config)
        self.images = 0.0
        self._known: dict[bytes, Metrics] = {}

    def _fold(self, settings: TrialSettings, number: int, seed: int) -> Generator[Epoch]:
        for epoch in super()._fold(settings, number, seed):
            self.images += self.cost(settings, number)
            yield epoch

    def _metrics(self, losses: list[float], probabilities: NDArray) -> Metrics:
        key = probabilities.tobytes()
        if key not in self._known:
            self._known[key] = super()._metrics(losses, probabilities)
        return self._known[key]


class Virtual:
    """See compute.workers.Workers: so many `slots`, in the seconds of `pace`.

    The driver takes `driver` seconds for each reply. With `batches` it asks for as many trials as there are slots,
    waits for all of them, and then asks for the next; else for one whenever a slot is free.
    """

    def __init__(self, trainer: Metered, slots: int, pace: Pace, driver: float, *, batches: bool = False) -> None:
        self.clock = 0.0
        self.work = 0.0
        self._trainer = trainer
        self._slots = slots
        self._pace = pace
        self._driver = driver
        self._batches = batches
        self._gathering = True
        self._trials: dict[int, tuple[Job, Stepping]] = {}
        self._replies: list[tuple[float, int, Reply]] = []

    @property
    def slots(self) -> int:
        return self._slots if self._gathering or not self._batches else 0

    def fill(self, view_sets: Collection[str], cuts: Collection[int]) -> None:
        pass

    def start(self, number: int, job: Job) -> None:
        self._trials[number] = job, Stepping(self._trainer, job)
        self.answer(number, goes_on=True)

    def answer(self, number: int, *, goes_on: bool) -> None:
        job, trial = self._trials[number]
        before = self._trainer.images
        reply = trial.step(goes_on=goes_on)
        images = self._trainer.images - before
        seconds = images * self._pace.of_image if job.settings.thaw else self._pace.of_head(number)
        self.work += seconds
        heappush(self._replies, (self.clock + seconds, number, reply))

    def stop(self, number: int) -> None:
        if self._trials.pop(number, None):
            self._gathering = not self._trials

    def wait(self) -> tuple[int, Reply]:
        self._gathering = False
        ready, number, reply = heappop(self._replies)
        self.clock = max(self.clock, ready) + self._driver
        if not isinstance(reply, EpochReport | FoldReport):
            self.stop(number)
        return number, reply
