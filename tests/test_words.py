from frostline.words import counted, listed


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(number, "epoch") for number in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]
    assert counted(2, "class", "classes") == "2 classes"


def test_a_long_list_ends() -> None:
    assert listed(["a", "b"], most=2) == "a, b"
    assert listed(["a", "b", "c"], most=2) == "a, b, ... (1 more)"
