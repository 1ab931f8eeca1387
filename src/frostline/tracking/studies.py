"""The runs of one study in MLflow: a parent, and a child for each trial."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from frostline.tracking.runs import PROCESS, Run, Tracker, this_process

__all__ = ["StudyRuns"]

_STUDY = "frostline.study"
_TRIAL = "trial"
_PARENT = "mlflow.parentRunId"


class StudyRuns:
    """What a study writes to. `parent` is its run; `log_winner` may put another in its place.

    Every run carries `tags`.
    """

    def __init__(self, tracker: Tracker, parent: Run, tags: Mapping[str, str]) -> None:
        self.parent = parent
        self._tracker = tracker
        self._tags = dict(tags)

    @classmethod
    @contextmanager
    def open(cls, tracker: Tracker, name: str, fingerprint: str, tags: Mapping[str, str]) -> Iterator["StudyRuns"]:
        """The runs of the study with this fingerprint, for the length of the block; see `Run.fail` for what it raises.

        The parent is the earlier one if it was killed or is redone. Trials that a killed process left running are set
        to KILLED, so whoever opens them holds the study.
        """
        runs = cls(tracker, _begin(tracker, name, fingerprint, tags), tags)
        try:
            yield runs
        except BaseException as error:
            runs.parent.fail(error)
            raise
        runs.parent.end()

    @property
    def experiment_id(self) -> str:
        """The experiment that they are in."""
        return self._tracker.experiment_id

    def start_trial(self, trial: int, strategy: str) -> Run:
        """The run of the study's trial number `trial`, from 1; the caller ends it.

        What an earlier attempt at the same trial left goes to MLflow's deleted runs: a trial has one run.
        """
        for other in self._tracker.search(f"tags.`{_PARENT}` = '{self.parent.id}' and tags.{_TRIAL} = '{trial}'"):
            self._tracker.client.delete_run(other)
        own = {_PARENT: self.parent.id, _TRIAL: str(trial), "strategy": strategy}
        return self._tracker.start(f"{trial:02d} {strategy}", own | self._tags)

    def log_winner(self, params: Mapping[str, object]) -> None:
        """Log the winner's `params` to the parent, or to a new one in its place.

        The same study has another winner where its database was lost or it ran on other hardware, and MLflow never
        changes a parameter that was logged. The run that is replaced keeps what it has, loses its trials, and ends.
        """
        known = self.parent.read()
        if any(known.data.params.get(key, str(value)) != str(value) for key, value in params.items()):
            study = {_STUDY: known.data.tags[_STUDY]}
            replaced, self.parent = self.parent, self._tracker.start(known.info.run_name, study | self._tags)
            _replace(self._tracker, replaced, self.parent)
        self.parent.log_params(params)


def _begin(tracker: Tracker, name: str, fingerprint: str, tags: Mapping[str, str]) -> Run:
    tracker.end_those_of_the_dead()
    found = [Run(each, tracker.client) for each in tracker.search(f"tags.`{_STUDY}` = '{fingerprint}'")]
    if not found:
        return tracker.start(name, {_STUDY: fingerprint} | dict(tags))
    run, *replaced = found  # the latest comes first
    for each in replaced:  # killed while it replaced them
        _replace(tracker, each, run)
    run.resume()
    run.set_tags({PROCESS: this_process()} | dict(tags))
    for child in tracker.search(f"tags.`{_PARENT}` = '{run.id}' and attributes.status = 'RUNNING'"):
        Run(child, tracker.client).end("KILLED")
    return run


def _replace(tracker: Tracker, old: Run, new: Run) -> None:
    """Let `new` be the study's run. Repeated after a kill it does what is left to do: `old` is let go last."""
    for child in tracker.search(f"tags.`{_PARENT}` = '{old.id}'"):
        Run(child, tracker.client).set_tags({_PARENT: new.id})
    old.set_tags({"replaced_by": new.id})
    old.end()
    tracker.client.delete_tag(old.id, _STUDY)
