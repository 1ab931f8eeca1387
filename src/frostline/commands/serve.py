"""`frostline serve`: the champion behind HTTP."""

from frostline.config.load import load_config
from frostline.registry.models import load_champion
from frostline.runtime.progress import say
from frostline.serving.connections import listen, serve
from frostline.serving.limits import ServingLimits
from frostline.serving.server import create_app
from frostline.tracking.runs import Tracker

__all__ = ["run"]


def run(dataset: str | None, host: str, port: int, limits: ServingLimits) -> None:
    """Serve until interrupted, which ends the process.

    Raises:
        RegistryError: there is no champion.
        ServingError: nobody can listen at `host` and `port`.
    """
    config = load_config()
    name = config.dataset_name(dataset)
    with listen(host, port) as listener:
        version = load_champion(Tracker.open(config.stores, name), name)
        shown = f"[{host}]" if ":" in host else host
        place = f"http://{shown}:{listener.getsockname()[1]}"
        say(f"Serving {version.name} version {version.number} at {place}/invocations; stop with Ctrl-C.")
        serve(create_app(version, limits), limits, listener)
