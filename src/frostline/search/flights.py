"""Trials in flight: a study hands them to workers, as many at once as those have slots, and hears how they do.

Proposals and training are seeded by a trial's number, and see trials of lower numbers alone: with one slot, an
interruption does not change what is proposed and trained. With several, what a proposal knows of depends on which
trials have ended by then; what training gives does not.
"""

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import count

import numpy as np
import optuna
from optuna.trial import TrialState

from frostline.compute.workers import Job, Reply, Workers
from frostline.errors import SearchError
from frostline.search.schedule import Schedule
from frostline.search.trials import NUMBER, REASON, finished_before, finished_trials, running_before

__all__ = ["Flight", "Objective", "TrialFailed", "run_study", "seed_of"]

Flight = Generator[Job | bool, Reply, float]
"""One trial: asks for a job, hears replies, answers each report by whether to go on, and ends with the score."""

Objective = Callable[[optuna.Trial], Flight]


class TrialFailed(SearchError):
    """One trial cannot be finished (it diverged, or memory ran out); the study goes on without it."""


def seed_of(seed: int, trial: int) -> int:
    """The seed of whatever is random in a study's trial number `trial`, from 1."""
    return int(np.random.SeedSequence([seed, trial - 1]).generate_state(1)[0] >> 1)


def run_study(study: optuna.Study, objective: Objective, schedule: Schedule, workers: Workers, seed: int) -> None:
    """Run the trials of `schedule`, until there are no more or the images that they may train on are used up.

    `objective` raises TrialFailed for a trial that cannot be finished. Whatever else is raised ends the study, and
    trials that are in flight then are run again when it is resumed.
    """
    flying: dict[int, tuple[optuna.Trial, Flight]] = {}
    with _collected_between_trials() as collect, _grounded(study, flying, workers):
        while True:
            while len(flying) < workers.slots and (number := _next_number(study, schedule, flying)):
                trial = _ask(study, schedule, number, seed)
                flying[number] = trial, objective(trial)
                _advance(study, flying, workers, number, None)
            if not flying:
                break
            before = len(flying)
            _advance(study, flying, workers, *workers.wait())
            if len(flying) < before:
                collect()


def _next_number(study: optuna.Study, schedule: Schedule, flying: dict[int, tuple[optuna.Trial, Flight]]) -> int | None:
    """The first number that is neither finished nor in flight; None if it is none of the study, or must wait."""
    taken = {trial.user_attrs[NUMBER] for trial in finished_trials(study)} | set(flying)
    number = next(number for number in count(1) if number not in taken)
    if schedule.is_over(number, finished_before(study, number)):
        return None
    return None if any(other <= schedule.follows(number) for other in flying) else number


def _ask(study: optuna.Study, schedule: Schedule, number: int, seed: int) -> optuna.Trial:
    """Trial `number`, as Optuna's: what a person has queued, or else what the schedule says."""
    if not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        known = [*finished_before(study, number), *running_before(study, number)]
        study.enqueue_trial(schedule.point(number, known, seed_of(seed, number)), user_attrs={NUMBER: number})
    study.sampler = optuna.samplers.RandomSampler(seed_of(seed, number))  # of what a queued trial leaves open
    trial = study.ask()
    if NUMBER not in trial.user_attrs:
        trial.set_user_attr(NUMBER, number)
    return trial


def _advance(
    study: optuna.Study,
    flying: dict[int, tuple[optuna.Trial, Flight]],
    workers: Workers,
    number: int,
    reply: Reply | None,
) -> None:
    """Tell trial `number` what its worker replies, and the worker what the trial asks for; or Optuna how it ended."""
    trial, flight = flying[number]
    try:
        asked = next(flight) if reply is None else flight.send(reply)
    except StopIteration as end:
        study.tell(trial, end.value)
    except optuna.TrialPruned:
        workers.stop(number)
        study.tell(trial, state=TrialState.PRUNED)
    except TrialFailed as failure:
        workers.stop(number)
        trial.set_user_attr(REASON, str(failure))
        study.tell(trial, state=TrialState.FAIL)
    else:
        if isinstance(asked, Job):
            workers.start(number, asked)
        else:
            workers.answer(number, goes_on=asked)
        return
    del flying[number]


@contextmanager
def _grounded(study: optuna.Study, flying: dict[int, tuple[optuna.Trial, Flight]], workers: Workers) -> Iterator[None]:
    """What ends the block early ends what is in flight as well: as trials without a reason, which are run again."""
    try:
        yield
    except BaseException as error:
        for number, (trial, flight) in flying.items():
            workers.stop(number)
            with suppress(BaseException):  # it raises `error` again
                flight.throw(error)
            with suppress(Exception):  # the storage may be what failed; who resumes the study frees the number too
                study.tell(trial, state=TrialState.FAIL)
        raise


@contextmanager
def _collected_between_trials() -> Iterator[Callable[[], int]]:
    """A collection of garbage that passes over what was there before the block."""
    gc.freeze()
    try:
        yield gc.collect
    finally:
        gc.unfreeze()
