"""Words on a terminal, in a process of its own where the terminal's encoding matters."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
from rich.table import Table
from frostline.runtime import terminal
from frostline.runtime.progress import say
terminal.set_up()
table = Table("class", title=terminal.plain("漢 [red]"))
for name in ("漢字", "[red]a[/red]", ":smile:", "a\\x1b[2Jb", "x\\udce9", "a\\nb", "end\\\\"):
    table.add_row(terminal.plain(name))
terminal.console(60).print(table)
say("漢字 a\\x1b[2J b\\nnext line")
print("漢字", "x\\udce9")
print(terminal.is_unicode())
"""


def run(encoding: str) -> tuple[list[str], list[str]]:
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )
    assert answer.returncode == 0, answer.stderr.decode()
    return tuple(part.decode(encoding).splitlines() for part in (answer.stdout, answer.stderr))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "shift_jis", "utf-8"])
def test_any_terminal_shows_every_name_in_a_straight_table(encoding: str) -> None:
    out, err = run(encoding)
    kanji = "漢字".encode(encoding, "backslashreplace").decode(encoding)
    text = "\n".join(out)
    for name in (kanji, "[red]a[/red]", ":smile:", r"a\x1b[2Jb", r"x\udce9", r"a\nb", "end\\"):
        assert name in text
    assert "\x1b" not in text + "".join(err)
    assert err == [f"{kanji} a\\x1b[2J b", "next line"]
    assert out[-2:] == [f"{kanji} x\\udce9", str(encoding == "utf-8")]
    if encoding == "ascii":
        assert len({len(line) for line in out[1:-2]}) == 1
        assert text.isascii()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no ASCII file names")
def test_file_names_are_utf_8_where_python_takes_them_for_ascii(tmp_path) -> None:
    script = tmp_path / "names.py"
    script.write_text(
        "import os, sys\nfrom frostline.runtime import terminal\nterminal.set_up()\n"
        "print(sys.getfilesystemencoding(), sys.argv[1:], sorted(os.listdir('pictures')))"
    )
    (tmp_path / "pictures" / "ü 漢").mkdir(parents=True)
    answer = subprocess.run(
        [sys.executable, str(script), "漢"],
        cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        check=True,
    )
    assert answer.stdout.decode("ascii") == "utf-8 ['\\u6f22'] ['\\xfc \\u6f22']\n"
