"""Whether machines are alike enough to train trials of one study."""

from collections.abc import Mapping
from typing import Any

from frostline.errors import ComputeError

__all__ = ["check_alike"]

_FINGERPRINT = 64


def check_alike(driver: Mapping[str, Any], worker: Mapping[str, Any], host: str) -> None:
    """Raise ComputeError if `worker`, the facts of provenance.Machine on `host`, are not those of the driver."""
    here, there = _flat(driver), _flat(worker)
    other = [
        f"{name} is {_short(there.get(name))} there and {_short(here.get(name))} here"
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    ]
    if other:
        raise ComputeError(
            f"{host} differs from this machine, and its trials could not be compared: {'; '.join(other)}. Install the "
            "same there (pip install -r requirements.txt), and for another precision set train.precision."
        )


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    libraries = facts.get("libraries", {})
    return {name: value for name, value in facts.items() if name != "libraries"} | dict(libraries)


def _short(value: Any) -> str:
    """As people can compare it: of a fingerprint the beginning."""
    text = str(value or "not installed")
    return text[:12] if len(text) == _FINGERPRINT else text
