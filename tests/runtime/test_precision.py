"""Precision: one place decides, by what the machine has."""

import pytest

from frostline.runtime import precision
from frostline.runtime.precision import resolve_precision


@pytest.fixture
def machine(monkeypatch):
    """`machine(accelerators, capability, cpu_bfloat16, backend)` describes one that is not here."""

    def describe(accelerators, capability, cpu_bfloat16, backend):
        monkeypatch.setattr(precision, "accelerators", lambda: accelerators)
        monkeypatch.setattr(precision, "compute_capability", lambda: capability)
        monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda: cpu_bfloat16)
        monkeypatch.setattr(precision, "_backend", lambda: backend)

    return describe


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ((("gpu:0",), (9, 0), False, "jax"), "mixed_bfloat16"),
        ((("gpu:0",), (8, 0), False, "tensorflow"), "mixed_bfloat16"),
        ((("gpu:0",), (7, 5), True, "tensorflow"), "mixed_float16"),
        ((("tpu:0",), None, False, "jax"), "mixed_bfloat16"),
        (((), None, True, "tensorflow"), "mixed_bfloat16"),
        (((), None, True, "jax"), "float32"),
        (((), None, False, "tensorflow"), "float32"),
    ],
)
def test_auto_is_what_the_machine_is_fast_in(machine, described, expected):
    machine(*described)
    assert resolve_precision("auto") == expected


@pytest.mark.parametrize("asked", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_is_asked_for_is_taken(machine, asked):
    machine((), None, False, "jax")
    assert resolve_precision(asked) == asked
