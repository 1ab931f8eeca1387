"""The pages are a site without a warning, are up to date with the code, and are easy to read."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import textstat
from pages import PAGES, ROOT, anchors, named, prose

EASY = ("README.md", "docs/tutorial.md", "docs/installation.md", "docs/data.md", "docs/index.md")


def test_the_site_is_built_strictly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "All notable changes" in (tmp_path / "changes.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{named(page)} links to {target}"
        assert not anchor or anchor in anchors(file), f"{named(page)} links to {target}#{anchor}"


def test_reference_pages_are_what_the_code_says() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from reference_pages import FOLDER, pages
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    for name, text in pages().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"{name}: run python scripts/reference_pages.py"


@pytest.mark.parametrize("page", EASY)
def test_what_a_newcomer_reads_is_easy(page: str) -> None:
    """Grade 8 of the automated readability index (Senter and Smith 1967), and 16 words a sentence on average."""
    text = prose(ROOT / page)
    assert textstat.automated_readability_index(text) < 8
    assert textstat.words_per_sentence(text) < 16.5


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120
