"""What a request to the server may cost, and the refusal of one that asks for more."""

from pydantic import Field

from frostline.config.frozen import Frozen

__all__ = ["Refused", "ServingLimits"]

_KINDS = {400: "unreadable", 408: "slow", 413: "too_large", 415: "not_json", 503: "busy"}


class ServingLimits(Frozen):
    """The bounds of one server, which `docs/models.md` lists for its users."""

    megabytes: float = Field(default=32, gt=0)
    """Of one request's body; all requests together may hold eight such bodies."""
    images: int = Field(default=64, ge=1)
    """In one request."""
    seconds: float = Field(default=60, gt=0)
    """From the head of a request to its answer."""
    patience: float = Field(default=10, gt=0)
    """Seconds that a client may keep the server waiting: for the head, for more of the body, for taking the answer."""
    values: int = Field(default=1_000_000, ge=1)
    """JSON values in one body; parsing a million takes a second and 0.3 GB at worst."""
    decoded_megabytes: float = Field(default=4000, gt=0)
    """What decoding the pictures of one request takes, one after the other: the bound of its work."""
    requests: int = Field(default=64, ge=1)
    """Read to the end and not yet answered."""
    connections: int = Field(default=256, ge=1)
    """Open at once."""
    grace: float = Field(default=5, gt=0)
    """Seconds after SIGTERM or Ctrl-C in which requests that have begun are still answered."""
    joined: int = Field(default=32, ge=1)
    """Pictures of several requests that the network may be given at once; with 1, each request is labelled alone."""
    window: int = Field(default=500, ge=1)
    """Of so many pictures, the last that a version labelled, the answers are kept for GET /drift."""

    @property
    def body(self) -> int:
        """The most bytes of one request's body."""
        return int(self.megabytes * 1e6)

    @property
    def bodies(self) -> int:
        """The most bytes that all requests may hold."""
        return 8 * self.body


class Refused(Exception):
    """A request that is answered with an HTTP status and the reason, instead of with predictions.

    `kind` is the word that /metrics counts it under.
    """

    def __init__(self, status: int, reason: str, kind: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.kind = kind or _KINDS[status]

    @property
    def headers(self) -> dict[str, str]:
        """When to ask again after 503; after 408 there is nothing more to say."""
        return {503: {"Retry-After": "1"}, 408: {"Connection": "close"}}.get(self.status, {})
