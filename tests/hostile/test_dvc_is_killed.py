"""DVC alone is killed, and what it started ends as an interrupt does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

STAGE = """
import time
from frostline.runtime.ending import ended, when_interrupted
with ended(), when_interrupted("finished trials are kept"):
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(("shell", "command"), [("/bin/sh", "python stage.py"), ("/bin/bash", "python stage.py; exit")])
def test_a_stage_ends_when_dvc_is_killed(tmp_path: Path, shell: str, command: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "SHELL": shell}
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": {"cmd": command}}}))
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=tmp_path, env=environment, check=True)
    process = subprocess.Popen(
        ["dvc", "repro"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.stdout.readline() != "ready\n":
        pass
    process.kill()
    _, said = process.communicate()  # until the stage, which holds the pipe as well, has ended
    assert said.endswith("DVC, which started this command, is gone.\nInterrupted; finished trials are kept.\n")
