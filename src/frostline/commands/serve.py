"""`frostline serve`: the champion behind HTTP."""

from functools import partial

from frostline.config.load import load_config
from frostline.registry.models import find_champion, load_version
from frostline.runtime.progress import say
from frostline.serving.connections import listen
from frostline.serving.following import Follower
from frostline.serving.limits import ServingLimits
from frostline.serving.process import Server, serve
from frostline.serving.server import create_app
from frostline.serving.service import Service
from frostline.tracking.runs import Tracker

__all__ = ["run"]


def run(dataset: str | None, at: tuple[str, int], limits: ServingLimits, poll: float, *, access_log: bool) -> None:
    """Serve at a host and a port until interrupted, which ends the process; see docs/models.md.

    The registry is asked for another champion every `poll` seconds, or on SIGHUP alone if that is 0.

    Raises:
        RegistryError: there is no champion, or it cannot be loaded.
        ServingError: nobody can listen at `at`.
    """
    config = load_config()
    name = config.dataset_name(dataset)
    host, port = at
    with listen(host, port) as listener:
        tracker = Tracker.open(config.stores, name)
        champion = find_champion(tracker, name)
        service = Service(limits)
        follower = Follower(service, partial(find_champion, tracker, name), partial(load_version, tracker), poll)
        shown = f"[{host}]" if ":" in host else host
        place = f"http://{shown}:{listener.getsockname()[1]}"

        def load() -> None:
            service.take_up(load_version(tracker, *champion))
            say(f"Serving {champion[0]} version {champion[1]} at {place}/invocations; stop with Ctrl-C.")
            follower.run()

        serve(Server(create_app(service, access_log=access_log), service), listener, load, follower.ask)
