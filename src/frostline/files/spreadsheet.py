"""Tables as CSV (RFC 4180), in which a user's words stay in their cells."""

from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["csv_text"]

# What makes a spreadsheet take a cell for a formula, or what it skips before one (owasp.org, CSV injection).
_BEFORE_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_text(table: "pd.DataFrame", *, for_people: bool = False, header: bool = True) -> str:
    """`table` without its index, a line per row; a cell that holds an end of line of any kind is quoted.

    A program reads every string back as it was. With `for_people`, strings that a spreadsheet would run as a formula
    have an apostrophe before them, which a program must take off; numbers never do.
    """
    text = _UnixRows(newline="")
    shown = table.rename(columns=_inert).map(_inert) if for_people else table
    shown.to_csv(text, index=False, header=header, lineterminator="\r\n")
    return text.getvalue()


class _UnixRows(StringIO):
    """Takes rows that end in CRLF and ends them in LF. With LF alone Python 3.11 would not quote a cell's CR."""

    def write(self, row: str) -> int:
        return super().write(row.removesuffix("\r\n") + "\n")


def _inert(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_BEFORE_FORMULAS) else cell
