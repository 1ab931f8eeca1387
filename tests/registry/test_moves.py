from hypothesis import given
from hypothesis import strategies as st

from frostline.registry.history import Author, Promotion
from frostline.registry.moves import champions

ME = Author(who="ada")


def record(action: str, version: str, before: str | None) -> Promotion:
    return Promotion.now(action=action, version=version, before=before, author=ME)


@given(st.lists(st.sampled_from(["promote", "back"]), max_size=30))
def test_a_promotion_goes_on_and_a_rollback_goes_back_along_the_line(moves):
    line: list[str] = []
    records = []
    for number, move in enumerate(moves):
        before = line[-1] if line else None
        if move == "promote":
            line.append(str(number))
            records.append(record("promoted", line[-1], before))
        elif len(line) > 1:
            line.pop()
            records.append(record("rolled back", line[-1], before))
        assert champions(records, line[-1] if line else None) == line


def test_champions_that_were_set_by_hand_are_in_the_line_where_they_were_found():
    records = [record("promoted", "2", "1"), record("promoted", "4", "3")]
    assert champions(records, "4") == ["1", "2", "3", "4"]
    assert champions(records, "5") == ["1", "2", "3", "4", "5"]
    assert champions(records, None) == ["1", "2", "3", "4"]
    assert champions([*records, record("rolled back", "3", "4")], "3") == ["1", "2", "3"]


def test_versions_that_a_rollback_passed_over_have_left_the_line():
    records = [record("promoted", "1", None), record("promoted", "2", "1"), record("promoted", "3", "2")]
    assert champions([*records, record("rolled back", "1", "3")], "1") == ["1"]
