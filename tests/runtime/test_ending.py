"""Interrupts, errors and the end of DVC: one line, and an exit code."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frostline.errors import DataError, StoreError
from frostline.runtime.ending import Interrupted, ended, when_interrupted

pytestmark = pytest.mark.usefixtures("heeded_signals")

WAITING = """
import time
from frostline.runtime.ending import ended, when_interrupted
with ended(), when_interrupted("finished trials are kept"):
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupt_is_one_line_and_its_signals_exit_code(number: signal.Signals, code: int) -> None:
    process = _start([sys.executable, "-c", WAITING])
    process.send_signal(number)
    _, said = process.communicate()
    assert (process.returncode, said) == (code, "Interrupted; finished trials are kept.\n")


def test_who_presses_again_at_once_does_not_disturb_the_tidying_up() -> None:
    tidying = """
import time
from frostline.runtime.ending import ended
with ended():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        time.sleep(0.5)
        print("tidy")
"""
    process = _start([sys.executable, "-c", tidying])
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    done, said = process.communicate()
    assert (process.returncode, done, said) == (130, "tidy\n", "Interrupted; run the same command again.\n")


def test_what_was_told_to_outlive_its_terminal_does() -> None:
    process = _start(["nohup", sys.executable, "-c", WAITING])
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143


@pytest.mark.parametrize("shell", ['exec python -c "$CODE"', 'python -c "$CODE"; exit $?'])
def test_a_command_of_dvc_ends_when_dvc_is_gone_and_others_do_not_care(shell: str) -> None:
    """The parent stands for DVC, which runs a shell; that is in between, or gives its place to the command."""
    parent = f"""
import os, subprocess
stage = {{"DVC_STAGE": "train", "PATH": {str(Path(sys.executable).parent)!r} + ":" + os.environ["PATH"]}}
subprocess.run(["sh", "-c", {shell!r}], env=os.environ | stage | {{"CODE": {WAITING!r}}})
"""
    process = _start([sys.executable, "-c", parent])
    process.kill()  # it is not waited for: a dead process that nobody has asked about yet
    said = process.stderr.read()  # until the command has ended
    process.communicate()
    assert said == "DVC, which started this command, is gone.\nInterrupted; finished trials are kept.\n"


def test_a_server_stops_in_its_own_way() -> None:
    server = """
import fastapi, uvicorn
from frostline.runtime.ending import ended, when_interrupted
app = fastapi.FastAPI(lifespan=lambda _: Ready())
class Ready:
    async def __aenter__(self): print("ready", flush=True)
    async def __aexit__(self, *_): print("stopped", flush=True)
with ended(), when_interrupted("the server has stopped"):
    uvicorn.run(app, log_level="warning", port=0)
"""
    process = _start([sys.executable, "-c", server])
    process.send_signal(signal.SIGHUP)
    assert process.communicate() == ("stopped\n", "Interrupted; the server has stopped.\n")
    assert process.returncode == 143


def test_what_c_code_makes_of_an_interrupt_is_one(capsys) -> None:
    """A signal may come between two steps of C code, which then gives a SystemError of its own."""

    def disturbed() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Interrupted:
            raise SystemError("Objects/listobject.c:338: bad argument to internal function") from None

    with pytest.raises(SystemExit, match="143"), ended(), when_interrupted("all is kept"):
        disturbed()
    assert capsys.readouterr().err == "Interrupted; all is kept.\n"
    with pytest.raises(SystemExit, match="70"), ended(), when_interrupted("all is kept"):
        raise SystemError("with no signal before it")


def test_what_a_user_can_mend_is_one_line(capsys) -> None:
    with pytest.raises(SystemExit, match="1"), ended():
        raise StoreError("The disk is full.")
    assert capsys.readouterr().err == "Error: The disk is full.\n"


def test_an_error_that_a_library_wrapped_is_still_told(capsys) -> None:
    def fail() -> None:
        try:
            raise StoreError("The disk is full.")
        finally:
            raise AssertionError  # as Optuna's, when its storage cannot be told that the trial has failed

    with pytest.raises(SystemExit, match="1"), ended():
        fail()
    assert capsys.readouterr().err == "Error: The disk is full.\n"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ZeroDivisionError(), "ZeroDivisionError"),
        (OSError(28, "No space left on device", "x"), r"OSError: \[Errno 28\] No space left on device: 'x'"),
        (ImportError("no fit", name="frostline.training"), "ImportError: no fit"),
        (RuntimeError("two\nlines: postgresql://ada:s3cret@db.org"), "RuntimeError: two"),
    ],
)
def test_a_defect_is_one_line_and_an_exit_code_of_its_own(error: Exception, words: str, capsys) -> None:
    with pytest.raises(SystemExit, match="70"), ended():
        raise error
    place = r"\(runtime/ending\.py, line \d+\)"
    assert re.fullmatch(
        rf"Error: frostline has a defect: {words} {place}\. Run again with --debug for its traceback, and report that; "
        "what was finished is kept\\.\n",
        capsys.readouterr().err,
    )


def test_a_defect_that_an_error_was_met_before_is_not_hidden(capsys) -> None:
    def fail() -> None:
        try:
            raise DataError("There are no images.")
        except DataError:
            len(None)

    with pytest.raises(SystemExit, match="70"), ended():
        fail()
    assert "a defect: TypeError: object of type 'NoneType' has no len() " in capsys.readouterr().err


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 GB")])
def test_memory_that_runs_out_is_no_defect(capsys, error) -> None:
    with pytest.raises(SystemExit, match="1"), ended():
        raise error
    assert capsys.readouterr().err.startswith("Error: memory ran out: ")


def test_debug_mode_shows_the_chain_without_its_secrets(monkeypatch, capsys) -> None:
    monkeypatch.setenv("FROSTLINE_DEBUG", "1")
    address = "postgresql://ada:s3/c@ret@db.org/x"

    def refused() -> None:
        try:
            raise ConnectionError(f"cannot reach {address}")
        except ConnectionError as error:
            raise StoreError("The store refused.", address=address) from error

    with pytest.raises(SystemExit, match="1"), ended():
        refused()
    said = capsys.readouterr().err
    assert "ConnectionError: cannot reach postgresql://***@db.org/x\n" in said
    assert "was the direct cause" in said
    assert said.splitlines()[-2:] == ["frostline.errors.StoreError: The store refused.", "Error: The store refused."]
    with pytest.raises(SystemExit, match="70"), ended():
        raise ZeroDivisionError
    assert capsys.readouterr().err.endswith("Report it with the traceback above; what was finished is kept.\n")


def _start(command: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process
