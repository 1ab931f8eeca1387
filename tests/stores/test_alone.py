from pathlib import Path

import pytest

from frostline.errors import WriteError
from frostline.stores.alone import alone


def test_a_lock_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(WriteError, match=r"file/cells\.lock cannot be written: .*Name a place"),
        alone(tmp_path / "file", "cells"),
    ):
        pytest.fail("nobody holds it")
