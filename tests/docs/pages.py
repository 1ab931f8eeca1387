"""The pages that people read, and what is in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"(?:<!-- needs: (?P<needs>[^>]*?) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)\n```", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and what it needs that is not here."""

    page: Path
    kind: str
    text: str
    needs: str

    @property
    def commands(self) -> Iterator[str]:
        """Its lines without comments, where it is for a shell; a line that ends in a backslash with its next."""
        if self.kind in ("sh", "console", ""):
            for line in self.text.replace("\\\n", " ").splitlines():
                command = re.sub(r"(^|\s)#.*$", "", line).strip().removeprefix("$ ")
                if command:
                    yield command


def blocks() -> list[Block]:
    return [
        Block(page, found["kind"], found["text"], found["needs"] or "")
        for page in PAGES
        for found in _BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}


def prose(page: Path) -> str:
    """The sentences of a page: no tables, headings, code, nor addresses."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if not line.startswith(("|", "#", "!", "<!--"))]
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", "\n".join(lines))
    return re.sub(r"`[^`]*`", "it", words)
