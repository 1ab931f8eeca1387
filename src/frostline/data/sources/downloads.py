"""Pictures that a table names by their addresses on the web: downloaded once, and kept."""

import csv
import hashlib
import re
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

import frostline
from frostline.errors import DataError
from frostline.files.atomic import atomic_file
from frostline.files.writing import writing
from frostline.runtime.progress import say, track
from frostline.text.phrases import counted
from frostline.text.redaction import redacted

__all__ = ["Downloads", "is_web_address"]

_AT_ONCE = 4
_SECONDS_OF_SILENCE = 30
_SECONDS = 300
_BYTES = 100_000_000
_CHUNK = 1 << 16
_DIGITS = 16
_LONGEST = 60
_FAILURES = "failures.csv"


def is_web_address(text: str) -> bool:
    """Whether `text` begins as an address that can be downloaded from."""
    return re.match(r"https?://[^/]", text, re.IGNORECASE) is not None


@dataclass(frozen=True)
class Downloads:
    """Files of `folder`, each named by its address. `failures.csv` beside them has those that could not be had.

    Those are not asked for again while the file says so: else a data set would change with each run.
    """

    folder: Path

    def name(self, address: str) -> str:
        """The name of the file of `address`, whether it is there or not."""
        last = unquote(re.split("[?#]", address)[0]).rpartition("/")[2]
        plain = re.sub(r"[^\w.-]", "_", last)[-_LONGEST:]
        return f"{hashlib.sha256(address.encode()).hexdigest()[:_DIGITS]}-{plain}"

    def missing(self, addresses: Iterable[str]) -> list[str]:
        """Those of `addresses` that were not asked for yet."""
        failed = self._failures()
        return [a for a in dict.fromkeys(addresses) if a not in failed and not (self.folder / self.name(a)).exists()]

    def fetch(self, addresses: Sequence[str]) -> None:
        """Download what is missing of `addresses`.

        Raises:
            DataError: none of them can be had, and no server has answered.
            WriteError: there is no room.
        """
        if not (missing := self.missing(addresses)):
            return
        with writing(self.folder / _FAILURES):
            self.folder.mkdir(parents=True, exist_ok=True)
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                reasons = list(track(pool.map(self._fetch, missing), "Downloading", len(missing)))
        failed = {address: why for address, why in zip(missing, reasons, strict=True) if why}
        if len(failed) == len(missing) and not any(why.startswith("HTTP") for why in reasons):
            raise DataError(
                f"None of {counted(len(missing), 'picture')} could be downloaded: {redacted(missing[0])}: "
                f"{reasons[0]}. Mend the connection or the addresses, and run again."
            )
        if failed:
            known = self._failures() | failed
            with atomic_file(self.folder / _FAILURES) as file, file.open("w", newline="", encoding="utf-8") as text:
                csv.writer(text).writerows([("address", "reason"), *known.items()])
            say(
                f"{counted(len(failed), 'picture')} of {len(missing)} could not be downloaded, and will be quarantined "
                f"as missing. {self.folder / _FAILURES} says why; delete it to try again."
            )

    def _failures(self) -> dict[str, str]:
        try:
            with (self.folder / _FAILURES).open(newline="", encoding="utf-8") as text:
                return {row[0]: row[1] for row in csv.reader(text) if len(row) == 2}
        except FileNotFoundError:
            return {}

    def _fetch(self, address: str) -> str:
        """Why the file of `address` could not be had; nothing if it is there now. Raises OSError of the disk."""
        try:
            content = _download(address)
        except HTTPError as error:
            return f"HTTP {error.code} {error.reason}"
        except (OSError, HTTPException, ValueError) as error:
            return " ".join(str(getattr(error, "reason", "") or error).split()) or type(error).__name__
        file = self.folder / self.name(address)
        part = file.with_name(f"{file.name}.part")
        part.write_bytes(content)
        part.replace(file)
        return ""


def _download(address: str) -> bytes:
    """What the server gives. Raises OSError, HTTPException and ValueError."""
    quoted = quote(address, safe="%/:=&?~#+!$,;'@()*[]")
    request = Request(quoted, headers={"User-Agent": f"frostline/{frostline.__version__}"})  # noqa: S310  # http alone
    end = time.monotonic() + _SECONDS
    with urlopen(request, timeout=_SECONDS_OF_SILENCE) as answer:  # noqa: S310
        parts = []
        while chunk := answer.read(_CHUNK):
            parts.append(chunk)
            if len(parts) * _CHUNK > _BYTES:
                raise ValueError(f"HTTP answer of more than {_BYTES / 1e6:.0f} MB")
            if time.monotonic() > end:
                raise ValueError(f"HTTP answer took more than {_SECONDS} s")
        return b"".join(parts)
