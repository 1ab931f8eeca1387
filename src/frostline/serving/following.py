"""Each new champion of a data set takes the place of the one that serves, without a restart."""

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from frostline.registry.models import LoadedVersion
from frostline.runtime.progress import say
from frostline.serving.service import Service

__all__ = ["Follower"]


class Follower:
    """Asks the registry every `seconds`, or only when it is told to if they are 0, and lets `service` take up the
    champion.

    `find` gives name and number of the champion, `load` that version. The version that serves goes on until the other
    is loaded and has been tried; if that fails, it goes on for longer. What is wrong is said once.
    """

    def __init__(
        self,
        service: Service,
        find: Callable[[], tuple[str, str]],
        load: Callable[[str, str], LoadedVersion],
        seconds: float,
    ) -> None:
        self._service = service
        self._find = find
        self._load = load
        self._seconds = seconds
        self._asked: SimpleQueue[None] = SimpleQueue()  # which a signal's handler may fill
        self._said = ""

    def ask(self) -> None:
        """Let the registry be asked now."""
        self._asked.put(None)

    def run(self) -> None:
        """Follow for ever."""
        while True:
            with suppress(Empty):
                self._asked.get(timeout=self._seconds or None)
            self.look()

    def look(self) -> None:
        """Take up the champion, if it is another version than the one that serves."""
        version = self._service.version
        serving = (version.name, version.number) if version else None
        del version  # or it could not be freed
        try:
            found = self._find()
            if found != serving:
                self._service.take_up(self._load(*found))
                say(f"Serving {found[0]} version {found[1]} from now on.")
                self._service.free_former()
        except Exception as error:  # loading runs the version's own code
            self._service.metrics.champion_failed()
            told = f"{error}".partition("\n")[0] or type(error).__name__
            if told != self._said:
                say(f"The champion cannot be taken up: {told} {self._going_on(serving)}")
            self._said = told
        else:
            self._said = ""

    def _going_on(self, serving: tuple[str, str] | None) -> str:
        return f"Until then {serving[0]} version {serving[1]} goes on serving." if serving else "Nothing is served yet."
