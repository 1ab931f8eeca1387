"""A study that can be killed at any moment and resumed as the same search.

Every trial has a *number* in the search, from 1: the first that is not finished. One that was interrupted is run again
under the same number, as a new trial of Optuna's. Proposals and training are seeded by the number, and see the same
trials before it, so that an interruption does not change what is proposed and trained.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from frostline.errors import SearchError, StoreError
from frostline.files.writing import check_writable
from frostline.runtime.progress import say
from frostline.search.trials import NUMBER
from frostline.stores.addresses import Address, address_of
from frostline.stores.refusals import refusal
from frostline.stores.server_lock import HeldElsewhere, server_lock
from frostline.stores.sqlite import wait_aloud
from frostline.text.redaction import redacted

__all__ = ["list_studies", "open_study"]


@contextmanager
def open_study(storage: str, name: str) -> Iterator[optuna.Study]:
    """The study called `name`, created or resumed.

    The study is locked while it is open, so that a trial found running belongs to a dead process and is run again at
    once.
    Raises SearchError if another process holds it, StoreError if the storage cannot be reached or refuses.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it warns of every failed trial, with a traceback
    address = address_of(storage, "stores.studies")
    try:
        if address.file is None:
            opened = _connect(address)
            with server_lock(opened.engine, name):
                study = _create(opened, name)
                _free_numbers(study, opened)
                yield study
            return
        lock = address.file.parent / f".{name}.lock"
        check_writable(lock)
        with FileLock(lock, timeout=0):
            opened = _journaled(_connect(address))
            study = _create(opened, name)
            _free_numbers(study, opened)
            yield study
    except (Timeout, HeldElsewhere):
        raise SearchError(f"Study {name} is being run by another process. Wait for it to end.") from None
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise refusal(f"The study storage {address.shown}", address, error) from error


def _connect(address: Address) -> optuna.storages.RDBStorage:
    wait_aloud()
    try:
        # Optuna takes braces in the address for a place to put its schema's version into.
        return optuna.storages.RDBStorage(address.url.replace("{", "{{").replace("}", "}}"))
    except (SQLAlchemyError, ImportError, OSError, RuntimeError, ValueError) as error:
        raise StoreError(
            f"The study storage {address.shown} (stores.studies in params.yaml) cannot be opened: "
            f"{redacted(str(error), address.url)}.",
            address=address.url,
        ) from error


def _journaled(storage: optuna.storages.RDBStorage) -> optuna.storages.RDBStorage:
    """SQLite with a write-ahead log, which waits for the disk at checkpoints alone: a trial reports a hundred times.

    A killed process loses nothing; a power failure may lose the last reports, never the database.
    """
    from sqlalchemy import event

    def begin(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    storage.engine.dispose()
    event.listen(storage.engine, "connect", begin)
    return storage


def _create(storage: optuna.storages.RDBStorage, name: str) -> optuna.Study:
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(["validation balanced accuracy"])
    return study


def _free_numbers(study: optuna.Study, storage: optuna.storages.RDBStorage) -> None:
    """Fail what a dead process left running, or queued under a number, which is free again unless it was finished."""
    study_id = storage.get_study_id_from_name(study.study_name)
    for trial in study.get_trials(states=(TrialState.RUNNING, TrialState.WAITING)):
        if trial.state == TrialState.RUNNING:
            say(f"Trial {trial.user_attrs.get(NUMBER, trial.number + 1)} was interrupted; it is run again.")
        elif NUMBER not in trial.user_attrs:  # queued by a person
            continue
        key = storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
        storage.set_trial_state_values(key, TrialState.FAIL)


def list_studies(storage: str) -> list[str]:
    """Names of the studies in `storage`. Raises StoreError if it cannot be opened."""
    return optuna.get_all_study_names(_connect(address_of(storage, "stores.studies")))
