import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import DataError
from frostline.text.words import encodable, escaped, markdown, visible

ANY = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@given(ANY)
def test_nothing_hides_and_everything_can_be_encoded(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert all(each.isprintable() or unicodedata.category(each) == "Zs" or each in "\u200c\u200d" for each in shown)
    encodable(text).encode()


@given(st.text(st.characters(codec="utf-8")))
def test_what_utf_8_holds_is_encodable_as_it_is(text: str) -> None:
    assert encodable(text) == text


def test_what_hides_is_written_as_python_writes_it() -> None:
    assert visible("a\tb\r\n\x1b[2J\u202e\u2028\x00\x85\udce9\ufeff") == (
        r"a\tb\r\n\x1b[2J\u202e\u2028\x00\x85\udce9\ufeff"
    )
    assert visible("a\nb\tc", keep="\n") == "a\nb\\tc"
    assert escaped("漢") == r"\u6f22"


def test_what_shows_stays() -> None:
    for text in ("solar cells", r"C:\cells", "漢字", "می\u200cخواهم", "हिन्दी", "e\u0301", "🦊", "a\u3000b"):
        assert visible(text) == text


def test_markdown_takes_nothing_for_markup() -> None:
    assert markdown("*a* [b](http://c) <img src=x>\n# d") == (
        r"\*a\* \[b\]\(http\://c\) \<img src\=x\>\\n\# d".replace(r"\=", "=")
    )


def test_an_error_shows_what_a_name_hides_and_keeps_its_lines() -> None:
    assert str(DataError("Class 'a\x1b[2J\udce9'\nhas none.")) == "Class 'a\\x1b[2J\\udce9'\nhas none."
