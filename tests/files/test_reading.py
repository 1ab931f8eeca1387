from pathlib import Path

import pytest

from frostline.errors import DataError, WeightsError
from frostline.files.reading import reading


def test_what_the_system_refuses_is_an_error_of_the_readers_kind(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match=rf"{tmp_path} cannot be read: Is a directory. Mend its name"),
        reading(tmp_path, DataError),
    ):
        tmp_path.read_text()
    with pytest.raises(WeightsError, match="cannot be read: File name too long"), reading(tmp_path, WeightsError):
        (tmp_path / ("x" * 300)).is_file()
