"""Which files and folders are nobody's pictures: desktops, servers and tools leave them in any folder."""

__all__ = ["is_ignored"]

_WINDOWS = (
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "system volume information", "wpsettings.dat"),
    *("$recycle.bin", "recycler", "recycled", "found.000", "msdownld.tmp"),
)
_MACOS = ("__macosx", "icon\r", "desktop db", "desktop df", "network trash folder", "temporary items")
_SYNOLOGY = ("@eadir", "#recycle", "#snapshot", "@sharebin", "@sharesnap", "@tmp", "@eadir@tmp", "@appstore")
_OTHER_SERVERS = (
    "@recycle",
    "@recently-snapshot",
    "@__thumb",
    "@__qini",
    "~snapshot",
    "trashbox",
)  # QNAP, NetApp, Buffalo
_OTHER_SYSTEMS = ("lost+found", "lost.dir", "picasa.ini", "zbthumbnail.info", "_gsdata_", "__pycache__")
_NAMES = frozenset((*_WINDOWS, *_MACOS, *_SYNOLOGY, *_OTHER_SERVERS, *_OTHER_SYSTEMS))

# What Windows and Synology keep beside a file's content becomes, in a copy, a file of its own: name, then one of these.
_STREAMS = (":zone.identifier", ":encryptable", ":afp_afpinfo", ":afp_resource", "@synoeastream", "@synoresource")
_COLON_ON_WINDOWS_MOUNTS = "\uf03a"


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is hidden (a leading full stop), or a system's or tool's own."""
    plain = name.casefold().replace(_COLON_ON_WINDOWS_MOUNTS, ":")
    return plain.startswith(".") or plain in _NAMES or plain.endswith(_STREAMS)
