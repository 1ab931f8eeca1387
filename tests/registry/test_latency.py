import time

import pandas as pd
import pytest

from frostline.registry.latency import pictures_per_second, seconds_per_picture


class Slow:
    """Takes so many seconds for each picture, and notes how many it was asked for."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.asked = seconds, []

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        self.asked.append(len(frame))
        time.sleep(self.seconds * len(frame))
        return pd.DataFrame({"label": "x", "error": [""] * len(frame)})


def test_models_are_timed_one_picture_at_a_time_in_turns(cells):
    fast, slow = Slow(0.001), Slow(0.02)
    times = seconds_per_picture([fast, slow], cells[0])
    assert times[0] >= 0.001
    assert times[1] >= 0.02
    assert fast.asked == slow.asked == [1] * 16


def test_a_rate_is_of_a_batch(cells):
    model = Slow(0.001)
    assert 0 < pictures_per_second(model, cells) <= 1000
    assert set(model.asked) == {32}
    assert pictures_per_second(model, cells[:5]) > 0
    assert model.asked[-1] == pytest.approx(5)
