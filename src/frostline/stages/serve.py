"""`frostline serve`: the champion behind HTTP."""

from frostline.errors import FrostlineError
from frostline.params import load_config
from frostline.progress import say
from frostline.registry.models import load_champion
from frostline.registry.server import ServingLimits, create_app
from frostline.tracking.runs import Tracker

__all__ = ["run"]


def run(dataset: str | None, host: str, port: int, limits: ServingLimits) -> None:
    """Serve until interrupted. Raises RegistryError if there is no champion, FrostlineError if the port is taken."""
    import socket

    import uvicorn

    config = load_config()
    name = config.dataset_name(dataset)
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise FrostlineError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.") from error
    with listener:
        version = load_champion(Tracker.open(config.stores, name), name)
        place = f"http://{host}:{listener.getsockname()[1]}"
        say(f"Serving {version.name} version {version.number} at {place}/invocations; stop with Ctrl-C.")
        server = uvicorn.Server(uvicorn.Config(create_app(version, limits), log_level="warning"))
        server.run(sockets=[listener])
