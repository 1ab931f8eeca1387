"""Every error that a user can see is on the page of troubles, in the words that the code has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import frostline
from frostline import errors

PACKAGE = Path(frostline.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
CLASSES = [name for name in errors.__all__ if name != "FrostlineError"]
FEWEST_CALLS = 150


def plain(text: str) -> str:
    """`text` without backticks, which cells of a table cannot quote, and with single spaces."""
    return re.sub(r"\s+", " ", text.replace("`", ""))


TREES = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(PACKAGE.rglob("*.py"))]


def constants(tree: ast.AST) -> list[str]:
    """The fixed words of every string, those of f-strings among them."""
    strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [plain(value) for value in strings if isinstance(value, str)]


SAID = {word for _, tree in TREES for word in constants(tree)}


def sections() -> dict[str, list[str]]:
    """For each class with a section of its own, the words that the first column of its table quotes."""
    parts = re.split(r"^##+ (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    rows = {
        title: re.findall(r"^\| (.*?) \|", body, flags=re.MULTILINE)
        for title, body in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {
        name: [word for row in rows[name] for word in re.findall(r"`([^`]+)`", row)] for name in CLASSES if name in rows
    }


def raised() -> Iterator[tuple[str, str, list[str]]]:
    """Where an error is made, of which class, and the fixed words that it is given."""
    for path, tree in TREES:
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[message, *_]) if name in CLASSES:
                    words = constants(message)
                case ast.Raise(exc=ast.Call(func=ast.Attribute(attr="_error"), args=[*_, message])):
                    name, words = "DataError", constants(message)  # a fault in a table, or in the layout of folders
                case _:
                    continue
            if any(map(str.strip, words)):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", name, words


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_of_errors_has_a_section_with_words_to_search_for(name: str) -> None:
    assert sections().get(name), f"docs/troubleshooting.md lacks a section '### {name}' with a table"


@pytest.mark.parametrize("name", CLASSES)
def test_a_section_quotes_only_words_that_the_code_says(name: str) -> None:
    invented = [quoted for quoted in sections()[name] if not any(quoted in word for word in SAID)]
    assert invented == []


def test_each_place_that_makes_an_error_is_found_by_its_words_in_the_section_of_its_class() -> None:
    calls, found = list(raised()), sections()
    absent = [
        f"{place}: {name}: {' … '.join(words)}"
        for place, name, words in calls
        if not any(quoted in word for quoted in found[name] for word in words)
    ]
    assert len(calls) > FEWEST_CALLS
    assert absent == []
