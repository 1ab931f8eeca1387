"""`frostline serve`: the champion behind HTTP."""

import errno
import os
import socket

from frostline.data.images import quiet_pillow
from frostline.errors import FrostlineError
from frostline.params import load_config
from frostline.progress import say
from frostline.registry.connections import server_config
from frostline.registry.limits import ServingLimits
from frostline.registry.models import load_champion
from frostline.registry.server import create_app
from frostline.tracking.runs import Tracker

__all__ = ["run"]

_MENDS = {
    errno.EADDRNOTAVAIL: "Choose a --host of this machine.",
    errno.EACCES: "Ports below 1024 belong to the system: choose another --port.",
}


def run(dataset: str | None, host: str, port: int, limits: ServingLimits) -> None:
    """Serve until interrupted, which ends the process.

    Raises:
        RegistryError: there is no champion.
        FrostlineError: nobody can listen at `host` and `port`.
    """
    import uvicorn

    config = load_config()
    name = config.dataset_name(dataset)
    with _listener(host, port) as listener:
        version = load_champion(Tracker.open(config.stores, name), name)
        shown = f"[{host}]" if ":" in host else host
        place = f"http://{shown}:{listener.getsockname()[1]}"
        say(f"Serving {version.name} version {version.number} at {place}/invocations; stop with Ctrl-C.")
        try:
            with quiet_pillow():
                uvicorn.Server(server_config(create_app(version, limits), limits)).run(sockets=[listener])
        except KeyboardInterrupt:
            say("Stopped serving.")
            os._exit(130)  # at once, as SIGTERM does: an exit would wait for the picture that is being decoded


def _listener(host: str, port: int) -> socket.socket:
    """A socket that listens at `host` (a name, or an address of IPv4 or IPv6)."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        return socket.create_server(address, family=family)
    except UnicodeError:
        why = "that is no host's name. Choose another --host."
    except socket.gaierror as error:
        why = f"{error.strerror}. Choose another --host."
    except OSError as error:
        number = error.errno or 0
        why = f"{os.strerror(number)}. {_MENDS.get(number, 'Choose another --port.')}"
    raise FrostlineError(f"Cannot listen on {host}:{port}: {why}")
