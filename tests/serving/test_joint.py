"""Pictures of several requests in one call of the network: who is joined, and that each gets its own answer."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from frostline.serving.joint import Joint, Row
from frostline.serving.portions import Picture
from frostline.serving.turns import Turns

Calls = list[list[bytes]]


def label_all(requests: Sequence[Sequence[bytes]], at_once: int, given_up: int | None = None) -> tuple[list, Calls]:
    """What requests get that come at once while the network is busy with one before them, and each call of it."""
    calls: Calls = []
    all_wait = threading.Event()

    def function(pictures: Sequence[Picture]) -> list[Row]:
        contents = [picture.content for picture in pictures]
        calls.append(contents)
        all_wait.wait(60)
        if b"fails" in contents:
            raise ValueError("the network fails")
        return [{"label": content} for content in contents]

    async def run() -> list:
        joint = Joint(Turns(), function, at_once)
        tasks = []
        for request in ([b"first"], *requests):
            pictures = [Picture(content, 1) for content in request]
            tasks.append(asyncio.create_task(joint.label(pictures)))
            await asyncio.sleep(0)
        if given_up is not None:
            tasks[given_up + 1].cancel()
        all_wait.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(run())[1:]
    assert calls.pop(0) == [b"first"]
    return [
        answer if isinstance(answer, BaseException) else [row["label"] for row in answer] for answer in answers
    ], calls


def test_what_waits_is_labelled_at_once_and_each_gets_its_own():
    requests = [[b"a"], [b"b", b"c"], [b"d"]]
    answers, calls = label_all(requests, 32)
    assert answers == requests
    assert [sorted(call) for call in calls] == [[b"a", b"b", b"c", b"d"]]


def test_no_more_are_joined_than_the_network_takes():
    requests = [[bytes([number])] for number in range(10)]
    answers, calls = label_all(requests, 4)
    assert answers == requests
    assert [len(call) for call in calls] == [4, 4, 2]


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_request_of_more_pictures_is_not_joined(at_once):
    requests = [[b"a", b"b", b"c"], [b"d"], [b"e", b"f", b"g"]]
    answers, calls = label_all(requests, at_once)
    assert answers == requests
    assert sorted(calls) == sorted(requests)


def test_a_failure_harms_no_other_request():
    answers, calls = label_all([[b"a"], [b"fails"], [b"b"]], 32)
    assert (answers[0], answers[2]) == ([b"a"], [b"b"])
    assert isinstance(answers[1], ValueError)
    assert calls[1:] == [[b"a"], [b"fails"], [b"b"]]


def test_who_has_given_up_is_not_labelled():
    answers, calls = label_all([[b"a"], [b"b"]], 32, given_up=0)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert calls == [[b"b"]]
