"""Identity by content: the same inputs give the same short hexadecimal name."""

import hashlib
import json
from typing import Any

__all__ = ["fingerprint"]


def fingerprint(value: Any) -> str:
    """SHA-256 (64 hexadecimal digits) of `value` as canonical JSON; keys in any order give the same result."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
