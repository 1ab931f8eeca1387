"""The examples in docstrings are true."""

import doctest
import importlib
from pathlib import Path

import pytest

import frostline

PACKAGE = Path(frostline.__file__).parent
WITH_EXAMPLES = sorted(path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))
FEWEST = 15


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_examples_of_a_module_give_what_they_say(path: Path) -> None:
    module = importlib.import_module(".".join(("frostline", *path.relative_to(PACKAGE).with_suffix("").parts)))
    ran = doctest.testmod(module)
    assert ran.attempted > 0
    assert ran.failed == 0


def test_the_functions_that_a_reader_meets_first_have_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = (".".join(("frostline", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in WITH_EXAMPLES)
    found = [test.name for name in modules for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= FEWEST
