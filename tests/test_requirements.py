"""What is installed is what pyproject.toml asks for, with TensorFlow or, on JAX, without it."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def names(lines: list[str]) -> set[str]:
    found = [re.match(r"[\w.-]+", line) for line in lines if not line.startswith(("#", "--"))]
    return {re.sub(r"[-_.]+", "-", name[0]).lower() for name in found if name}


def test_the_list_for_jax_is_all_that_is_needed_but_tensorflow() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = names([*project["dependencies"], *extras["demo"], *extras["dev"]])
    pinned = names((ROOT / "requirements.txt").read_text().splitlines())
    assert needed <= pinned
    listed = (ROOT / "requirements-jax.txt").read_text().splitlines()
    assert "--constraint requirements.txt" in listed
    assert names(listed) == needed - {"tensorflow"} | {"jax", "jaxlib"}
