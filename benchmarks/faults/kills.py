"""The ways in which a study on a cluster is disturbed, and what is left of it."""

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random

import psutil

from frostline.runtime.progress import say

from .driver import Driver
from .nodes import Nodes
from .study import Finished, Study, lost, twice

SECONDS_TO_LEAVE = 30


class Disturbed:
    """A study that is killed in one way, again and again, and goes on.

    `recovery` has the seconds from each kill until two workers train again, or the study has ended; `ending` those
    until a command has ended that had to.
    """

    def __init__(self, study: Study, nodes: Nodes, random: Random) -> None:
        self.nodes = nodes
        self.random = random
        self.recovery: list[float] = []
        self.ending: list[float] = []
        self.trials = study.trials
        self._study = study
        self._before: list[Finished] = []
        self._ended_badly = 0
        self._starts = 0
        study.begin()
        self._start()

    def start_again(self) -> None:
        """Give the same command again, unless the study is over."""
        if self.driver.process.returncode:
            self._start()

    def _start(self) -> None:
        self._starts += 1
        self.driver = Driver(self._study.folder / f"said-{self._starts}.txt")

    def until_ended(self, code: int) -> None:
        """Wait until the command ends, which it should with this exit code, or with 0 where the study was over."""
        found = self.driver.end()
        if not self.driver.has_ended_well(code if found else 0):
            say(f"{self.driver.log} has ended with {found}, not as it should.")
            self._ended_badly += 1

    def kill(self, way: "Way", length: float) -> None:
        """Disturb it within so many seconds, as soon as there is a worker; but not if it ends before."""
        self.driver.until_begun()
        moment = time.monotonic() + self.random.uniform(0, length)
        while time.monotonic() < moment or not (workers := self.nodes.workers()):
            if self.driver.has_ended:
                return
            time.sleep(0.05)
        self._before.append(self._study.finished())
        began = time.monotonic()
        with suppress(psutil.NoSuchProcess):  # it has just been ended
            way(self, self.random.choice(workers))
            self.driver.until_begun()
            self.driver.until_both_train(self.nodes)
            self.recovery.append(time.monotonic() - began)

    def compared(self) -> Mapping[str, int]:
        """What has gone wrong, when the study has ended: all of it should be 0."""
        self.until_ended(0)
        after = self._study.finished()
        _, alive = psutil.wait_procs(self.nodes.seen, SECONDS_TO_LEAVE)
        return {
            "trials_lost": len(set().union(*(lost(before, after) for before in self._before))),
            "counted_twice": twice(after),
            "wrong_runs": self._study.wrong_runs(after),
            "wrong_number": int(not self._study.has_asked_number(after)),
            "ended_badly": self._ended_badly,
            "left_over": len(alive),
        }


Way = Callable[[Disturbed, psutil.Process], None]
"""Disturbs a study of which this process is a worker."""


def _worker(_: Disturbed, worker: psutil.Process) -> None:
    worker.kill()
    worker.wait()


def _silence(it: Disturbed, worker: psutil.Process) -> None:
    worker.suspend()
    while worker.is_running() and not it.driver.has_ended:
        time.sleep(0.1)


def _node(it: Disturbed, _: psutil.Process) -> None:
    it.nodes.lose_one(it.random)


def _driver(it: Disturbed, _: psutil.Process) -> None:
    it.driver.process.kill()
    it.until_ended(-signal.SIGKILL)
    it.start_again()


def _interrupt(it: Disturbed, _: psutil.Process) -> None:
    began = time.monotonic()
    it.driver.process.send_signal(signal.SIGINT)
    it.until_ended(128 + signal.SIGINT)
    it.ending.append(time.monotonic() - began)
    it.start_again()


def _head(it: Disturbed, _: psutil.Process) -> None:
    began = time.monotonic()
    it.nodes.lose_head()
    it.until_ended(1)
    it.ending.append(time.monotonic() - began)
    it.nodes.close()
    it.nodes.start()
    it.start_again()


WAYS: Mapping[str, Way] = {
    "a worker is killed": _worker,
    "the driver is killed": _driver,
    "a node is lost": _node,
    "the head is lost": _head,
    "the driver is interrupted": _interrupt,
    "a worker says nothing": _silence,
}
