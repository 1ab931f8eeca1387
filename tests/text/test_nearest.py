from frostline.text.nearest import did_you_mean


def test_a_near_miss_is_suggested_and_otherwise_all_are_listed() -> None:
    assert did_you_mean("smal", ["small", "large"]) == " Did you mean 'small'?"
    assert did_you_mean("x", ["small", "large"]) == " Known: large, small."
