"""frostline: how deep should you freeze a pretrained network? Measure it instead of guessing.

In a notebook: `frostline.advise`, `frostline.load_champion`, `frostline.studies`, `frostline.trials`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frostline.notebook.advice import advise
    from frostline.notebook.champion import load_champion
    from frostline.notebook.tables import studies, trials

__all__ = ["__version__", "advise", "load_champion", "studies", "trials"]

__version__ = "0.1.0"

_PLACES = {"advise": "advice", "load_champion": "champion", "studies": "tables", "trials": "tables"}


def __getattr__(name: str) -> Any:
    """What a notebook asks for, imported only then: it takes seconds, which the command line does not have."""
    if name not in _PLACES:
        raise AttributeError(f"module 'frostline' has no attribute '{name}'")
    return getattr(import_module(f"frostline.notebook.{_PLACES[name]}"), name)
