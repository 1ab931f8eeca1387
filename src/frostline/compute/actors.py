"""Actors as params.yaml asks for them: each on its part of a machine, and alike to this process."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray

from frostline.compute.agreement import check_alike
from frostline.compute.connection import check_room, words
from frostline.compute.pool import Pool
from frostline.config.compute import ComputeConfig
from frostline.provenance import Machine
from frostline.runtime.progress import say

__all__ = ["open_pool"]

_PASSED_ON = ("KERAS_BACKEND", "TF_DETERMINISTIC_OPS", "TF_CPP_MIN_LOG_LEVEL", "ONEDNN_MAX_CPU_ISA", "XLA_FLAGS")


@contextmanager
def open_pool(options: ComputeConfig, kind: type, given: Any, precision: str) -> Iterator[Pool]:
    """Actors of the class `kind`, each made of `given`, for the length of the block; one at least has joined.

    Their method `machine` tells the host's name and the facts of provenance.Machine, which must be this process's own.
    Raises ComputeError if there is no room for one, or a machine differs from this one.
    """
    size = options.workers or check_room(options)
    actor = ray.remote(kind).options(
        num_cpus=options.cpus,
        num_gpus=options.gpus,
        max_restarts=0,
        runtime_env={"env_vars": _environment(options)},
    )
    facts = Machine(precision=precision).facts
    pool = Pool(
        lambda: actor.remote(given),
        lambda member: member.machine.remote(),
        lambda answer: _admitted(answer, facts),
        size=size,
        minutes=options.minutes,
    )
    say(f"Waiting for up to {size} workers on the Ray cluster, each with {words(options.cpus, options.gpus)}.")
    try:
        pool.until_joined()
        yield pool
    finally:
        pool.close()


def _environment(options: ComputeConfig) -> dict[str, str]:
    threads = str(max(1, int(options.cpus)))
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


def _admitted(answer: Any, facts: Mapping[str, Any]) -> str:
    host, theirs = answer
    check_alike(facts, theirs, host)
    return str(host)
