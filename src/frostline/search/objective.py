"""The objective: one trial, trained, scored, reported to Optuna and logged to MLflow."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

import optuna
from optuna.trial import FrozenTrial, TrialState

from frostline.compute.workers import ATTEMPTS, Failure, Job, Reply
from frostline.runtime.progress import say
from frostline.search.ensemble import choose_ensemble, cross_fitted, heads_alike
from frostline.search.flights import Flight, TrialFailed, seed_of
from frostline.search.judgement import Judgement
from frostline.search.race import Race, Rival
from frostline.search.schedule import Schedule
from frostline.search.trials import (
    CERTAINTY,
    CORRECT,
    COST,
    NUMBER,
    SETTINGS,
    SETTLED,
    STANDARD_ERROR,
    brier_of,
    by_image,
    finished_before,
    packed,
)
from frostline.tracking.runs import Run
from frostline.tracking.studies import StudyRuns
from frostline.training.metrics import BRIER, SCORE, best_epoch
from frostline.training.reports import EpochReport, FoldReport
from frostline.training.settings import TrialSettings, group_of, strategy_of
from frostline.training.trial import Trainer, Validation

__all__ = ["Objective"]


class Objective:
    """Called once a trial: gives its flight, which ends with the balanced accuracy on validation images, in [0, 1].

    Every trial is logged to a run of its own among `runs`.
    """

    def __init__(self, trainer: Trainer, schedule: Schedule, runs: StudyRuns, seed: int) -> None:
        self._trainer = trainer
        self._schedule = schedule
        self._runs = runs
        self._seed = seed
        self._racing: dict[int, Race] = {}

    def __call__(self, trial: optuna.Trial) -> Flight:
        """Run the trial. Raises TrialPruned, or TrialFailed if it diverged, ran out of memory, or lost its workers."""
        number = trial.user_attrs[NUMBER]
        finished = finished_before(trial.study, number)
        heads = heads_alike(finished) if self._schedule.is_ensemble(number) else []
        if self._schedule.is_ensemble(number) and not heads:
            raise TrialFailed("no head is complete that an ensemble could be made of")
        settings = choose_ensemble(self._trainer, heads) if heads else self._schedule.suggest(trial, number, finished)
        strategy = strategy_of(settings, self._trainer.backbone.depth)
        trial.set_user_attr(SETTINGS, settings.model_dump(mode="json"))
        trial.set_user_attr("strategy", strategy)
        run = self._runs.start_trial(number, strategy)
        race = Race(self._trainer, settings, _rival(finished), self._left(number, finished))
        self._racing[number] = race
        try:
            with _ended(run):
                run.log_params({"strategy": strategy, "group": group_of(settings)} | settings.params())
                return (yield from self._run(trial, settings, heads, race, run))
        finally:
            del self._racing[number]

    def _left(self, number: int, finished: Sequence[FrozenTrial]) -> Callable[[], float]:
        """How many images trial `number` may train on: what trials of lower numbers leave, those in flight so far."""
        flying = [race for other, race in self._racing.items() if other < number]
        return lambda: self._schedule.left(finished) - sum(race.spent for race in flying)

    def _run(
        self, trial: optuna.Trial, settings: TrialSettings, heads: Sequence[TrialSettings], race: Race, run: Run
    ) -> Flight:
        number, started = trial.user_attrs[NUMBER], time.perf_counter()
        strategy = strategy_of(settings, self._trainer.backbone.depth)
        read = f"blocks {','.join(map(str, settings.blocks))}, freeze_depth={settings.freeze_depth}"
        label = f"{number}/{self._schedule.trials} {strategy} ({read}, {settings.pooling}, {settings.views})"

        def conclude(state: str, status: str, note: str, score: float | None, epochs: int) -> None:
            seconds = time.perf_counter() - started
            trial.set_user_attr("history", race.history)
            trial.set_user_attr(COST, race.spent)
            if settings.thaw:
                trial.set_user_attr(SETTLED, race.settled)
            # The score first: MLflow's comparison begins with the first metric that was logged.
            scores = {} if score is None else {"score": score}
            run.log_metrics(scores | {"best_epoch": epochs, "seconds": seconds, COST: race.spent})
            run.log_history(race.history)
            run.set_tags({"state": state} | ({"reason": note} if note else {}))
            run.end(status)
            outcome = f"{score:.3f}" + (f" at epoch {epochs}" if epochs else "") if score is not None else "no score"
            say(f"Trial {label}: {outcome}, {state}, {seconds:.1f} s{f' ({note})' if note else ''}")

        try:
            if heads:
                validation = self._trainer.judged(cross_fitted(self._trainer, heads))
            else:
                validation = yield from self._validate(settings, number, race)
        except optuna.TrialPruned as pruned:
            epoch = best_epoch(race.history)
            trial.set_user_attr("epochs", epoch)
            trial.set_user_attr("temperature", race.history[epoch - 1]["temperature"])
            conclude("pruned", "FINISHED", str(pruned), race.history[epoch - 1][SCORE], epoch)
            raise
        except TrialFailed as failure:
            conclude("failed", "FAILED", str(failure), None, len(race.history))
            raise
        race.history[:] = validation.history
        judgement = Judgement.of(validation, finished_before(trial.study, number), self._trainer.cell)
        trial.set_user_attr("epochs", validation.epochs)
        trial.set_user_attr(STANDARD_ERROR, judgement.standard_error)
        trial.set_user_attr(BRIER, judgement.brier)
        trial.set_user_attr("temperature", validation.temperature)
        trial.set_user_attr(CORRECT, packed(validation.correct))
        trial.set_user_attr(CERTAINTY, packed(validation.certainty))
        conclude("complete", "FINISHED", self._shortened(validation, race), judgement.score, validation.epochs)
        return judgement.score

    def _shortened(self, validation: Validation, race: Race) -> str:
        """How the budget shortened a trial that is complete, in words; nothing if it did not."""
        cell = self._trainer.cell
        notes = [] if race.settled or not validation.epochs else ["the budget ended it before it had settled"]
        if len(validation.correct) < len(cell.validation_rows):
            notes.append(f"judged by {cell.folds_of(len(validation.correct))} of {len(cell.folds)} folds")
        return "; ".join(notes)

    def _validate(self, settings: TrialSettings, number: int, race: Race) -> Generator[Job | bool, Reply, Validation]:
        """What a worker gives. If it is lost another begins anew, a few times; what was lost is not paid for."""
        reason = ""
        for _ in range(ATTEMPTS):
            race.begin()
            reply = yield Job(settings, seed_of(self._seed, number))
            while isinstance(reply, EpochReport | FoldReport):
                reply = yield reply.tell(race)
            if isinstance(reply, Validation):
                return reply
            reason = reply.reason
            if isinstance(reply, Failure):
                raise TrialFailed(reason)
            say(f"Trial {number} has lost its worker: {reason}")
        raise TrialFailed(f"it has lost {ATTEMPTS} workers, the last because {reason}")


@contextmanager
def _ended(run: Run) -> Iterator[None]:
    """End the run of a trial that is interrupted, or finds a defect, wherever that is; others end it themselves."""
    try:
        yield
    except (optuna.TrialPruned, TrialFailed):
        raise
    except BaseException as error:
        run.fail(error)
        raise


def _rival(finished: Sequence[FrozenTrial]) -> Rival | None:
    """The trial with the lowest Brier score, of equals the first; None before one is complete."""
    complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    best = min(complete, key=brier_of, default=None)
    return Rival(best.user_attrs[NUMBER], by_image(best, CERTAINTY)) if best else None
