"""What a server counts of itself, as Prometheus reads it."""

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder

from frostline.serving.joint import Row

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_PICTURES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counters of one server, in a registry of their own. Labels take few values, whatever clients send."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = self._counter("requests", "Requests answered.", "path", "status")
        self._errors = self._counter("errors", "Requests to /invocations without predictions, by kind.", "kind")
        self._connections = self._counter("connections_refused", "Connections ended before a whole head.", "status")
        self._seconds = self._histogram("request_seconds", "From head to answer, of /invocations.", _SECONDS)
        self._pictures = self._histogram("request_pictures", "Pictures in a request that could be read.", _PICTURES)
        self._batches = self._histogram("batch_pictures", "Pictures that the network was given at once.", _PICTURES)
        self._labels = self._counter("pictures_labelled", "Pictures that got a label.")
        self._unknown = self._counter("pictures_unknown", "Pictures with a label that are like no training image.")
        self._refusals = self._counter("pictures_refused", "Pictures that could not be used.", "reason")
        self._model = Info("frostline_model", "The version that answers.", registry=self._registry)
        self._changes = self._counter("champion_changes", "Versions taken up after the first.")
        self._failures = self._counter("champion_failures", "Attempts to take up a champion that failed.")

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"frostline_{name}", words, labels, registry=self._registry)

    def _histogram(self, name: str, words: str, bounds: Sequence[float]) -> Histogram:
        return Histogram(f"frostline_{name}", words, buckets=bounds, registry=self._registry)

    def watch(self, name: str, words: str, value: Callable[[], float]) -> None:
        """Ask `value` whenever somebody reads."""
        Gauge(f"frostline_{name}", words, registry=self._registry).set_function(value)

    def request(self, path: str, status: int) -> None:
        """Count an answer."""
        self._requests.labels(path, status).inc()

    def invocation(self, seconds: float, pictures: int | None, error: str) -> None:
        """Count a request to /invocations: its pictures, if they could be read, and the kind of its `error`, if any."""
        self._seconds.observe(seconds)
        if pictures is not None:
            self._pictures.observe(pictures)
        if error:
            self._errors.labels(error).inc()

    def connection_refused(self, status: int) -> None:
        """Count a connection that ended before there was a request."""
        self._connections.labels(status).inc()

    def labelled(self, rows: Sequence[Row]) -> None:
        """Count what the network was given at once, by what came of each picture."""
        self._batches.observe(len(rows))
        for row in rows:
            if error := row["error"]:
                self._refusals.labels(error.partition(":")[0]).inc()
            else:
                self._labels.inc()
                if row.get("known") is False:
                    self._unknown.inc()

    def champion(self, name: str, number: str, *, first: bool) -> None:
        """Say which version answers from now on."""
        self._model.info({"name": name, "version": number})
        if not first:
            self._changes.inc()

    def champion_failed(self) -> None:
        """Count a champion that could not be taken up, or not be asked for."""
        self._failures.inc()

    def text(self, accept: str) -> tuple[bytes, str]:
        """All of it, and its content type, in the form that a client's header `accept` asks for."""
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind
