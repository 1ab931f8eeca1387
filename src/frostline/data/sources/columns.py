"""Which columns of a table hold what: by their names in `params.yaml`, or by frostline's own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from frostline.config.datasets import Columns
from frostline.data.sources.record import as_word
from frostline.data.sources.table_text import Row
from frostline.errors import DataError
from frostline.text.nearest import nearest
from frostline.text.phrases import listed

__all__ = ["TableColumns", "places_of", "truth"]

# What other tools and people call the two.
_IMAGES = (
    *("file_name", "filename", "file", "path", "filepath", "image_id", "image_name", "image_path"),
    *("img", "id", "url"),
)
_LABELS = ("class", "choice", "category", "target", "species", "breed", "diagnosis", "class_name", "labels", "tag")
_TRUE, _FALSE = ("true", "yes"), ("", "false", "no")


@dataclass(frozen=True)
class TableColumns:
    """Where a table's columns are: those asked for, the named others, and those that hold cells without a name.

    `labels` has the place of the label column, or of each class's column.
    """

    own: dict[str, int]
    labels: dict[str, int]
    other: dict[str, int]
    unnamed: list[int]

    @classmethod
    def of(cls, rows: list[Row], wanted: Columns, table: str) -> "TableColumns":
        """Find the `wanted` columns; the first of `rows` is the header. Raises DataError, which begins with `table`."""
        header = rows[0].cells if rows else []
        received = listed(header) or "an empty file"
        names = {"image": wanted.image, "split": wanted.split, "group": wanted.group}
        own = {key: places[0] for key, name in names.items() if (places := places_of(header, name))}
        labels = {as_word(name): places[0] for name in wanted.labels if (places := places_of(header, name))}
        asked = [*names.values(), *wanted.labels]
        if missing := [name for name in wanted.asked_for if not places_of(header, name)]:
            raise DataError(
                f"{table} lacks the column(s) {listed(missing)}. Expected image, label and optionally split, group; "
                f"received {received}.{_mend(rows, wanted, missing) if rows else ''}"
            )
        wider = next((row for row in rows if any(cell.strip() for cell in row.cells[len(header) :])), None)
        if wider:
            raise DataError(
                f"{table}, line {wider.line}, has more cells than the header has columns. Put cells that have the "
                "separator in them into double quotes."
            )
        others = [place for place in range(len(header)) if place not in (*own.values(), *labels.values())]
        named = [place for place in others if header[place].strip()]
        twice = [name for name, count in Counter(as_word(header[place]) for place in named).items() if count > 1]
        twice += [name for name in asked if len(places_of(header, name)) > 1]
        if twice:
            raise DataError(
                f"{table} has more than one column {listed(twice)} (received {received}). Each "
                "must have its own name: rename or remove them."
            )
        filled = {place for row in rows[1:] for place, cell in enumerate(row.cells) if cell.strip()}
        unnamed = [place for place in others if place not in named and place in filled]
        return cls(own, labels, {as_word(header[place]): place for place in named}, unnamed)

    def cell(self, row: Row, name: str) -> str:
        """The cell of `row` in the column of images, splits or groups, empty if there is none."""
        return row.at(self.own[name]) if name in self.own else ""


def places_of(header: Sequence[str], name: str) -> list[int]:
    """Where `header` has `name`: as it stands, or else in other case, another Unicode form or with spaces around it."""
    exact = [place for place, cell in enumerate(header) if cell == name]
    plain = as_word(name).casefold()
    return exact or [place for place, cell in enumerate(header) if as_word(cell).casefold() == plain]


def truth(cell: str) -> bool | None:
    """Whether a cell of a class's column says that the picture is of the class; None if it says something else."""
    word = cell.strip().casefold()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    try:
        number = float(word)
    except ValueError:
        return None
    return bool(number) if number in (0, 1) else None


def _mend(rows: list[Row], wanted: Columns, missing: list[str]) -> str:
    """How to name the columns, with what they are likely to be."""
    header = [as_word(cell) for cell in rows[0].cells]
    free = [name for name in header if name and name not in (wanted.image, *wanted.labels)]
    guesses = []
    for key, name, known in (("image", wanted.image, _IMAGES), ("label", wanted.labels[0], _LABELS)):
        found = next((each for each in free if each.casefold() in known), None) or nearest(name, free)
        guesses.append(f"{key}: {name if name not in missing else found or 'NAME'}")
    classes = [
        name
        for place, name in enumerate(header)
        if name and {truth(row.at(place)) for row in rows[1:]} == {True, False}
    ]
    several = len(classes) > 1 and set(missing) & set(wanted.labels)
    as_classes = f" Or {listed(classes)} are classes, with a 1 each where it is true: label: [{listed(classes)}]."
    return (
        f" If they have other names in it, say which under datasets in params.yaml, for example columns: "
        f"{{{', '.join(guesses)}}}.{as_classes if several else ''}"
    )
