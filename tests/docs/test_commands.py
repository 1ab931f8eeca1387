"""Every command in the pages is one that there is, with options that it takes; what cannot run here says so."""

import re
import shlex

import pytest
from dvc.cli import DvcParserError
from dvc.cli.parser import get_main_parser
from pages import ROOT, Block, blocks, named
from typer._click import Context
from typer.main import get_command

from frostline.cli import app

NEEDS = {"network", "gpu", "another machine", "postgresql", "ray"}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
GENERATED = ROOT / "docs/reference/command-line.md"  # usage lines, by Typer
SHELL = [block for block in blocks() if block.kind in ("sh", "console", "") and block.page != GENERATED]
OF_FROSTLINE = [
    pytest.param(block, command, id=f"{named(block.page)}: {command[:60]}")
    for block in SHELL
    for line in block.commands
    for command in re.split(r"\s(?:&&|\|\||\||;)\s", line)
    if re.match(r"(?:[\w./]*/)?frostline\s", command)
]


@pytest.mark.parametrize(("block", "command"), OF_FROSTLINE)
def test_frostline_takes_it(block: Block, command: str) -> None:
    """The words are parsed as the command line parses them, with nothing run."""
    words = shlex.split(re.sub(r"\s[<>]+\s*\S+|\s&$|'$", "", command))[1:]
    here = get_command(app)
    context = Context(here, info_name="frostline", resilient_parsing=False)
    while words and words[0].startswith("-"):
        assert words[0] in {name for option in here.params for name in option.opts} | {"-h", "--help"}
        words = words[1:]
    if words[:1] == ["COMMAND"]:  # any one
        return
    while hasattr(here, "commands") and words:
        assert words[0] in here.commands, f"{named(block.page)}: frostline has no command {words[0]}"
        here, words = here.commands[words[0]], words[1:]
        context = Context(here, info_name=here.name, parent=context)
    if not {"-h", "--help"} & set(words) and not hasattr(here, "commands"):
        here.parse_args(context, words)


@pytest.mark.parametrize(
    ("block", "command"),
    [
        pytest.param(block, found, id=f"{named(block.page)}: {found[:60]}")
        for block in SHELL
        for line in block.commands
        for found in re.findall(r"(?:^|\s)(dvc [^&|;'<>]*)", line)
    ],
)
def test_dvc_takes_it(block: Block, command: str) -> None:
    try:
        get_main_parser().parse_args(shlex.split(command)[1:])
    except DvcParserError:
        pytest.fail(f"{named(block.page)}: {command}")


@pytest.mark.parametrize("block", SHELL, ids=lambda block: named(block.page))
def test_what_downloads_says_that_it_needs_a_network(block: Block) -> None:
    if re.search(r"\bpip (install|wheel)\b", "\n".join(block.commands)):
        assert block.needs, f"{named(block.page)}: {block.text}"


@pytest.mark.parametrize("block", SHELL, ids=lambda block: named(block.page))
def test_make_and_benchmarks_have_it(block: Block) -> None:
    for command in block.commands:
        words = command.split()
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        if words[:1] == ["make"]:
            wanted = {word for word in words[1:] if re.fullmatch(r"[a-z]+", word)}
            assert wanted <= TARGETS, f"{named(block.page)}: {command}"
        if words[:2] == ["python", "-m"] and words[2].startswith("benchmarks."):
            module = ROOT / words[2].replace(".", "/")
            assert module.is_dir() or module.with_suffix(".py").is_file(), f"{named(block.page)}: {command}"
        if words[:1] == ["python"] and len(words) > 1 and words[1].startswith("scripts/"):
            assert (ROOT / words[1]).is_file(), f"{named(block.page)}: {command}"


def test_what_is_not_here_has_a_name_that_is_known() -> None:
    assert {need.strip() for block in blocks() for need in block.needs.split(",") if need.strip()} <= NEEDS
