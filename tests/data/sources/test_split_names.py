import pytest

from frostline.data.sources.split_names import EVALUATION, UNLABELLED, parse, settle


@pytest.mark.parametrize(
    ("name", "split", "rest"),
    [
        ("train", "train", ()),
        ("Validation", "val", ()),
        ("test_set", "test", ()),
        ("TestImages", "test", ()),
        ("train+val", "train", ()),
        ("eval", EVALUATION, ()),
        ("seg_pred", UNLABELLED, ("seg",)),
        ("asl_alphabet_train", "train", ("asl", "alphabet")),
        ("train_test", None, ()),
        ("trains", None, ("trains",)),
        ("contest", None, ("contest",)),
        ("2021", None, ()),
        ("", None, ()),
    ],
)
def test_parse(name: str, split: str | None, rest: tuple[str, ...]) -> None:
    found = parse(name)
    assert (found.split, found.rest) == (split, rest)


def test_evaluation_is_the_test_split_unless_there_is_one() -> None:
    assert settle(EVALUATION, {"train", EVALUATION}) == "test"
    assert settle(EVALUATION, {"train", "test", EVALUATION}) == "val"
    assert settle("val", {"val"}) == "val"
