from frostline.text.phrases import counted, listed


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(number, "epoch") for number in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]
    assert counted(2, "class", "classes") == "2 classes"


def test_a_long_list_ends_and_hides_nothing() -> None:
    assert listed(["a", "b\n"], most=2) == r"a, b\n"
    assert listed("abc", most=2) == "a, b, and 1 more"
