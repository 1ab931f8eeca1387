import csv
import io

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from frostline.files.spreadsheet import csv_text

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.lists(WORDS, min_size=1, max_size=4))
@example(["a\rb", "a\r\nb", "a\nb", '"a"', "a,b", "=1", "NA", " a ", ""])
def test_every_string_is_read_back_as_it_was(words: list[str]) -> None:
    text = csv_text(pd.DataFrame({"words": words, "number": 1.5}))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["words"] for row in rows] == words
    again = pd.read_csv(io.BytesIO(text.encode()), dtype=str, keep_default_na=False)
    assert again["words"].tolist() == words


@given(st.lists(WORDS, min_size=1, max_size=4))
@example(["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "＝1"])
def test_what_people_open_holds_no_formula(words: list[str]) -> None:
    text = csv_text(pd.DataFrame({"words": words}), for_people=True)
    cells = [row["words"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")) for cell in cells)
    assert [cell if cell == word else cell.removeprefix("'") for cell, word in zip(cells, words, strict=True)] == words


@pytest.mark.parametrize("for_people", [False, True])
def test_numbers_and_plain_words_are_as_pandas_writes_them(for_people: bool) -> None:
    table = pd.DataFrame({"cell": ["solar_cells", "b"], "difference": [-0.25, float("nan")]})
    assert csv_text(table, for_people=for_people) == "cell,difference\nsolar_cells,-0.25\nb,\n"
