"""The objective: one trial, trained, scored, reported to Optuna and logged to MLflow."""

import time

import numpy as np
import optuna
from numpy.typing import NDArray

from frostline.config.schema import SearchConfig
from frostline.runtime.memory import is_out_of_memory
from frostline.runtime.progress import say
from frostline.search.space import suggest
from frostline.search.study import NUMBER, RIGHT, STANDARD_ERROR, TrialFailed, seed_of
from frostline.search.trials import packed_answers
from frostline.tracking.studies import StudyRuns
from frostline.training.fit import TrainingDiverged
from frostline.training.settings import TrialSettings, strategy_of
from frostline.training.trial import SCORE, Trainer, Validation, best_epoch

__all__ = ["Objective"]


class Objective:
    """Called by Optuna once a trial: gives the best epoch's balanced accuracy on the validation images, in [0, 1].

    Every trial is logged to a run of its own among `runs`.
    """

    def __init__(self, trainer: Trainer, config: SearchConfig, runs: StudyRuns, seed: int) -> None:
        self._trainer = trainer
        self._config = config
        self._runs = runs
        self._seed = seed

    def __call__(self, trial: optuna.Trial) -> float:
        """Run the trial. Raises TrialPruned, or TrialFailed if it diverged or ran out of memory."""
        depth = self._trainer.backbone.depth
        settings = suggest(trial, self._config, depth)
        number = trial.user_attrs[NUMBER]
        strategy = strategy_of(settings, depth)
        parameters = settings.model_dump() | {"strategy": strategy}
        for name, value in parameters.items():
            trial.set_user_attr(name, value)
        depths = f"keep={settings.keep} freeze_depth={settings.freeze_depth}"
        label = f"{number}/{self._config.trials} {strategy} {depths}"
        run = self._runs.start_trial(number, strategy)
        epochs = self._trainer.epochs(settings.keep, settings.freeze_depth)
        run.log_params(parameters | {"max_epochs": epochs})
        watcher = _Reporter(trial, epochs, len(self._trainer.cell.validation_rows), may_prune=settings.thaw > 0)
        history = watcher.history
        started = time.perf_counter()

        def conclude(state: str, status: str, note: str, score: float | None, epochs: int) -> None:
            seconds = time.perf_counter() - started
            trial.set_user_attr("history", history)
            # The score first: MLflow's comparison begins with the first metric that was logged.
            run.log_metrics(({} if score is None else {"score": score}) | {"best_epoch": epochs, "seconds": seconds})
            run.log_history(history)
            run.set_tags({"state": state} | ({"reason": note} if note else {}))
            run.end(status)
            outcome = f"{score:.3f} at epoch {epochs}" if score is not None else "no score"
            say(f"Trial {label}: {outcome}, {state}, {seconds:.1f} s{f' ({note})' if note else ''}")

        try:
            validation = self._validate(settings, number, watcher)
        except optuna.TrialPruned as pruned:
            epoch = best_epoch(history)
            conclude("pruned", "FINISHED", str(pruned), history[epoch - 1][SCORE], epoch)
            raise
        except TrialFailed as failure:
            conclude("failed", "FAILED", str(failure), None, len(history))
            raise
        except BaseException as error:
            run.fail(error)
            raise
        trial.set_user_attr("epochs", validation.epochs)
        trial.set_user_attr(STANDARD_ERROR, validation.standard_error)
        trial.set_user_attr("temperature", validation.temperature)
        trial.set_user_attr(RIGHT, packed_answers(validation.right))
        conclude("complete", "FINISHED", "", validation.score, validation.epochs)
        return validation.score

    def _validate(self, settings: TrialSettings, number: int, watcher: "_Reporter") -> Validation:
        try:
            return self._trainer.validate(settings, seed_of(self._seed, number), watcher)
        except TrainingDiverged as error:
            raise TrialFailed(str(error)) from error
        except Exception as error:
            if is_out_of_memory(error):
                raise TrialFailed("memory ran out: lower train.batch_size or backbones.*.image_size") from error
            raise


class _Reporter:
    """Tells Optuna how a trial is doing, and asks whether to go on.

    A hold-out reports its score by epoch, which the median pruner compares. Folds report, by validation image, how
    certain the network was of the right class: pairs that the Wilcoxon pruner tests against the best trial's.
    A head alone costs seconds, and one that learns slowly may end ahead: it is never pruned. Nor is any trial after its
    last epoch or fold, when there is nothing left to save.
    """

    def __init__(self, trial: optuna.Trial, epochs: int, images: int, *, may_prune: bool) -> None:
        self.history: list[dict[str, float]] = []
        self._trial = trial
        self._epochs = epochs
        self._images = images
        self._may_prune = may_prune

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """See training.trial.Watcher."""
        self.history.append(metrics)
        self._trial.report(metrics[SCORE], epoch)
        if epoch < self._epochs:
            self._prune(f"below the median at epoch {epoch}")

    def fold(self, history: list[dict[str, float]], first: int, certainties: NDArray[np.float32]) -> None:
        """See training.trial.Watcher."""
        self.history[:] = history
        for position, certainty in enumerate(certainties.tolist(), start=first):
            self._trial.report(certainty, position)
        seen = first + len(certainties)
        if seen < self._images:
            self._prune(f"worse than the best trial on {seen} of {self._images} images (Wilcoxon)")

    def _prune(self, reason: str) -> None:
        if self._may_prune and self._trial.should_prune():
            raise optuna.TrialPruned(reason)
