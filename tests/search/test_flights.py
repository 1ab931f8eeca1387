"""Several trials in flight: each number once, in an order that the study can learn from, whoever is lost on the way."""

from collections.abc import Generator
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_trials import CONFIG, DEPTH
from optuna.trial import TrialState

from frostline.compute.workers import Failure, Job, Lost
from frostline.config.effort import Effort
from frostline.search.ensemble import heads_alike
from frostline.search.flights import TrialFailed, run_study
from frostline.search.schedule import Schedule
from frostline.search.trials import COST, NUMBER, REASON, SETTINGS, finished_before, finished_trials
from frostline.training.metrics import BRIER
from frostline.training.reports import EpochReport

HEADS, STARTUP, THAWED = 8, 3, 4
EVERY = list(range(1, HEADS + THAWED + 2))
PLAN = Schedule(
    CONFIG.model_copy(update={"effort": Effort(heads=HEADS, thawed=THAWED, images=1000), "startup_trials": STARTUP}),
    DEPTH,
    cut=None,
)
REPORT = EpochReport([], [], settled=False)


class Chance:
    """Workers of which chance says who replies next, and with what."""

    def __init__(self, slots: int, seed: int = 0) -> None:
        self.slots = slots
        self._random = np.random.default_rng(seed)
        self.busy: dict[int, bool] = {}  # whether it may reply: it has a job, or its answer
        self.jobs: list[tuple[int, Job]] = []
        self.most = 0

    def start(self, number: int, job: Job) -> None:
        assert number not in self.busy
        self.jobs.append((number, job))
        self.busy[number] = True
        self.most = max(self.most, len(self.busy))
        assert len(self.busy) <= self.slots

    def answer(self, number: int, *, goes_on: bool) -> None:
        assert goes_on
        assert not self.busy[number]
        self.busy[number] = True

    def stop(self, number: int) -> None:
        self.busy.pop(number, None)

    def wait(self) -> tuple[int, Any]:
        number = int(self._random.choice([number for number, may in self.busy.items() if may]))
        replies = [REPORT, "done", "done", Failure("it diverged"), Lost("it was killed")]
        reply = replies[self._random.integers(len(replies))]
        if reply is REPORT:
            self.busy[number] = False
        else:
            del self.busy[number]
        return number, reply


def flight(trial: optuna.Trial) -> Generator[Any, Any, float]:
    """As search.objective flies, with a score that follows from the settings."""
    number = trial.user_attrs[NUMBER]
    finished = finished_before(trial.study, number)
    heads = heads_alike(finished) if PLAN.is_ensemble(number) else []
    if PLAN.is_ensemble(number):
        assert [each.user_attrs[NUMBER] for each in finished] == list(range(1, HEADS + 1))
        if not heads:
            raise TrialFailed("no head")
    if STARTUP < number <= HEADS:
        assert len(finished) >= max(STARTUP, 3 * (number - 1) / 4)
    if PLAN.thaws(number):
        assert len(finished) > HEADS
    point = heads[0] if heads else PLAN.suggest(trial, number, finished)
    trial.set_user_attr(SETTINGS, point.model_dump(mode="json"))
    trial.set_user_attr(COST, 10.0 if point.thaw else 0.0)
    trial.set_user_attr(BRIER, 0.5)
    reply = "done" if heads else (yield Job(point, number))
    while reply != "done":
        if isinstance(reply, Failure):
            raise TrialFailed(reply.reason)
        reply = yield Job(point, number) if isinstance(reply, Lost) else True
    return point.keep / 10


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_each_number_ends_once_whatever_order_workers_reply_in_and_whoever_is_lost(seed: int, slots: int) -> None:
    study, workers = optuna.create_study(direction="maximize"), Chance(slots, seed)
    run_study(study, flight, PLAN, workers, seed=7)
    trials = finished_trials(study)
    assert [trial.user_attrs[NUMBER] for trial in trials] == EVERY
    assert len(study.trials) == len(EVERY)
    assert not workers.busy
    assert all((trial.state == TrialState.FAIL) == (REASON in trial.user_attrs) for trial in trials)
    begun = {number: job.settings for number, job in workers.jobs}
    assert all(job.settings == begun[number] for number, job in workers.jobs)  # begun anew it is the same
    guides = [trial.params["keep"] for trial in trials[:2]]
    assert guides == [5, 4]
    heads = [begun[number] for number in range(1, HEADS + 1)]
    assert len(set(heads)) == HEADS  # those in flight are not proposed again


class Prompt(Chance):
    """Workers that reply in the order in which they were asked."""

    def wait(self) -> tuple[int, Any]:
        number = next(iter(self.busy))
        del self.busy[number]
        return number, "done"


def test_as_many_are_in_flight_as_there_are_slots() -> None:
    for slots in (1, 2, 3):
        workers = Prompt(slots)
        run_study(optuna.create_study(direction="maximize"), flight, PLAN, workers, seed=7)
        assert workers.most == slots


def test_one_slot_proposes_the_same_as_ever() -> None:
    first, second = optuna.create_study(direction="maximize"), optuna.create_study(direction="maximize")
    for study in (first, second):
        run_study(study, flight, PLAN, Prompt(1), seed=7)
    assert [trial.params for trial in first.trials] == [trial.params for trial in second.trials]


def test_a_defect_of_one_ends_all_in_flight_and_they_are_run_again() -> None:
    ended = []

    def watched(trial: optuna.Trial) -> Generator[Any, Any, float]:
        try:
            return (yield from flight(trial))
        except RuntimeError as error:
            ended.append((trial.user_attrs[NUMBER], str(error)))
            raise

    class Broken(Prompt):
        def wait(self) -> tuple[int, Any]:
            raise RuntimeError("a bug")

    study, workers = optuna.create_study(direction="maximize"), Broken(3)
    with pytest.raises(RuntimeError, match="a bug"):
        run_study(study, watched, PLAN, workers, seed=7)
    assert ended == [(1, "a bug"), (2, "a bug"), (3, "a bug")]
    assert not workers.busy
    assert finished_trials(study) == []
    run_study(study, flight, PLAN, Prompt(2), seed=7)
    assert [trial.user_attrs[NUMBER] for trial in finished_trials(study)] == EVERY
