"""Memory that ran out, whoever says so."""

__all__ = ["is_out_of_memory"]

_WORDS = ("resourceexhausted", "resource_exhausted", "out of memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says so: MemoryError, ResourceExhaustedError (TensorFlow), RuntimeError (JAX, torch).

    >>> is_out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes."))
    True
    """
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(words in text for words in _WORDS)
