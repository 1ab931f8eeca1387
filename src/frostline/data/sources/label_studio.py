"""Pictures as Label Studio's tables name them: by addresses on its own server."""

import re
from pathlib import PurePosixPath
from urllib.parse import unquote

__all__ = ["files_meant"]

_UPLOAD = re.compile(r"(?:https?://[^/]+)?/data/upload/(\d+)/(.+)")
_LOCAL = re.compile(r"(?:https?://[^/]+)?/data/local-files/\?d=([^&]+)")
_GIVEN = re.compile(r"[0-9a-f]{8}-(?=.)")  # what it puts before the name of an uploaded file


def files_meant(address: str) -> list[str]:
    """The relative paths that a picture of Label Studio may have, the likeliest first; none for another address.

    An uploaded file may lie as it does in its media folder, or bear the name that it had before. Of a local file the
    folder that Label Studio starts from is not known, so that every end of its path may be meant.

    >>> files_meant("/data/local-files/?d=photos/a.jpg")
    ['photos/a.jpg', 'a.jpg']
    """
    if upload := _UPLOAD.fullmatch(address):
        project, name = upload[1], unquote(upload[2])
        return [f"upload/{project}/{name}", f"{project}/{name}", name, _GIVEN.sub("", name, count=1)]
    if local := _LOCAL.fullmatch(address):
        parts = [part for part in PurePosixPath(unquote(local[1])).parts if part not in ("/", "..")]
        return ["/".join(parts[start:]) for start in range(len(parts))]
    return []
