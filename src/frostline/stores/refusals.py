"""What stores of runs and studies refuse, whatever their drivers and the network make of it, is one StoreError."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from frostline.errors import FrostlineError, StoreError
from frostline.stores.addresses import Address
from frostline.text.redaction import redacted

__all__ = ["Guarded", "asking", "or_none", "refusal"]

T = TypeVar("T")
_DELETED = "must be in the 'active' state"  # MLflow's words of a run that somebody has deleted


class Guarded:
    """MLflow's `client` of the store at `address`; its methods raise StoreError for what the store refuses."""

    def __init__(self, client: Any, address: Address) -> None:
        self._client = client
        self._address = address

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        def ask(*arguments: Any, **options: Any) -> Any:
            with asking(self._address):
                return found(*arguments, **options)

        return ask


@contextmanager
def asking(address: Address) -> Iterator[None]:
    """Ask MLflow's store at `address`, and do nothing else, in the block. Raises StoreError for what it refuses."""
    try:
        yield
    except FrostlineError:
        raise
    except Exception as error:
        if not _is_refusal(error):
            raise
        raise refusal(f"The MLflow store {address.shown}", address, error) from error


def or_none(get: Callable[..., T], *arguments: str) -> T | None:
    """What `get(*arguments)`, a method of a `Guarded` client, gives; None where the store knows no such thing."""
    try:
        return get(*arguments)
    except StoreError as error:
        if error.code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def refusal(store: str, address: Address, error: BaseException) -> StoreError:
    """What to raise for an `error` that says that the store called `store`, at `address`, refuses."""
    known: BaseException | None = error
    while known is not None:  # a StoreError of stores.sqlite, which MLflow and Optuna wrap in errors of their own
        if isinstance(known, StoreError):
            return StoreError(str(known), known.code, known.address)
        known = known.__cause__ or known.__context__
    reason = redacted(str(error).strip().partition("\n")[0].rstrip("."), address.url) or type(error).__name__
    message = f"{store} refused: {reason}. Mend that and run again; what was finished is kept."
    return StoreError(message, getattr(error, "error_code", ""), address.url)


def _is_refusal(error: Exception) -> bool:
    """Drivers of databases, networks and clouds have errors of their own; what is wrong with a request is ours."""
    if getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE":
        return _DELETED in str(error)
    origin = error.__cause__ or error
    return isinstance(origin, OSError | ImportError) or type(origin).__module__ != "builtins"
