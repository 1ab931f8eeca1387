"""One trial, trained step by step where a worker is."""

from collections.abc import Generator

from frostline.compute.workers import Failure, Job, Reply
from frostline.runtime.memory import is_out_of_memory
from frostline.training.fit import TrainingDiverged
from frostline.training.reports import Report
from frostline.training.trial import Trainer, Validation

__all__ = ["Stepping"]


class Stepping:
    """A job that is trained as far as it is asked to."""

    def __init__(self, trainer: Trainer, job: Job) -> None:
        self._steps: Generator[Report, bool, Validation] = trainer.steps(job.settings, job.seed)
        self._begun = False

    def step(self, *, goes_on: bool = True) -> Reply:
        """Train until there is something to say. `goes_on` answers the report before; the first step needs none."""
        try:
            if self._begun:
                return self._steps.send(goes_on)
            self._begun = True
            return next(self._steps)
        except StopIteration as end:
            validation: Validation = end.value
            return validation
        except TrainingDiverged as error:
            return Failure(str(error))
        except Exception as error:
            if is_out_of_memory(error):
                return Failure("memory ran out: lower train.batch_size or backbones.*.image_size")
            raise

    def close(self) -> None:
        """Train no further. What was trained is kept in the memo."""
        self._steps.close()
