"""Packages that only some exports need."""

from collections.abc import Sequence
from importlib.util import find_spec

from frostline.errors import PackageError

__all__ = ["need_packages"]


def need_packages(what: str, modules: Sequence[str]) -> None:
    """Raise PackageError unless all of `modules` are installed, each from the package of its name."""
    missing = [module.replace("_", "-") for module in modules if find_spec(module) is None]
    if missing:
        raise PackageError(f"{what} needs packages that are not installed: pip install {' '.join(missing)}")
