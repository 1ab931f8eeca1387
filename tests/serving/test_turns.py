"""Work of many requests on one thread: who is next, and who gives up."""

import asyncio
import threading
import time

import pytest

from frostline.serving.turns import Turns


def test_a_small_piece_of_work_goes_before_larger_ones_that_came_earlier():
    begun, done = threading.Event(), []

    async def requests() -> None:
        turns = Turns()
        running = asyncio.create_task(turns.take(100, begun.wait))
        await asyncio.sleep(0)
        others = [turns.take(cost, done.append, cost) for cost in (90, 80, 1)]
        waiting = asyncio.gather(*others)
        await asyncio.sleep(0)
        begun.set()
        await asyncio.gather(running, waiting)

    asyncio.run(requests())
    assert done == [1, 80, 90]


def test_a_large_piece_of_work_gets_its_share_beside_many_small_ones():
    small = []

    async def requests() -> int:
        turns, ended = Turns(), asyncio.Event()

        async def client() -> None:
            while not ended.is_set():
                await turns.take(1, small.append, None)

        clients = [asyncio.create_task(client()) for _ in range(4)]
        await asyncio.sleep(0)
        before = await turns.take(50, small.__len__)
        ended.set()
        await asyncio.gather(*clients)
        return before

    assert 0 < asyncio.run(requests()) <= 50 * 5


def test_what_fails_or_is_given_up_lets_the_others_go_on():
    begun = threading.Event()

    async def requests() -> None:
        turns = Turns()
        tasks = [asyncio.create_task(turns.take(1, work)) for work in (begun.wait, never, int, fails)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        begun.set()
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        with pytest.raises(ZeroDivisionError):
            await tasks[3]
        assert await tasks[2] == 0
        assert await turns.take(1, int) == 0

    def never() -> None:
        raise AssertionError

    def fails() -> float:
        return 1 / 0

    asyncio.run(requests())


def test_a_turn_that_comes_to_one_who_has_just_left_is_passed_on():
    begun = threading.Event()

    async def requests() -> None:
        turns = Turns()
        running = asyncio.create_task(turns.take(1, begun.wait))
        await asyncio.sleep(0)
        leaves = asyncio.create_task(turns.take(1, int))
        stays = asyncio.create_task(turns.take(2, int))
        await asyncio.sleep(0)
        running.add_done_callback(lambda _: leaves.cancel())  # the turn has just been given to it
        begun.set()
        assert await asyncio.wait_for(stays, 10) == 0

    asyncio.run(requests())


def most_at_once(turns: Turns, costs: list[int]) -> tuple[int, int]:
    """How many pieces, and how much of them in all, were begun at once."""
    begun, lock, most = [], threading.Lock(), [(0, 0)]

    def work(cost: int) -> None:
        with lock:
            begun.append(cost)
            most.append((len(begun), sum(begun)))
        time.sleep(0.01)
        with lock:
            begun.remove(cost)

    async def requests() -> None:
        await asyncio.gather(*[turns.take(cost, work, cost) for cost in costs])

    asyncio.run(requests())
    return max(number for number, _ in most), max(cost for _, cost in most)


def test_as_much_is_begun_at_once_as_there_are_threads_and_room():
    assert most_at_once(Turns(3), [1] * 20) == (3, 3)
    assert most_at_once(Turns(8, room=10), [3] * 20) == (3, 9)
    assert most_at_once(Turns(8, room=10), [3, 50, 9]) == (1, 50)


def test_a_large_piece_is_not_waited_out_by_small_ones():
    done = []

    async def requests() -> None:
        turns = Turns(2, room=10)

        async def client() -> None:
            while "large" not in done:
                await turns.take(1, time.sleep, 0.001)
                done.append("small")

        clients = [asyncio.create_task(client()) for _ in range(4)]
        await asyncio.sleep(0)
        await turns.take(10, done.append, "large")
        await asyncio.gather(*clients)

    asyncio.run(asyncio.wait_for(requests(), 30))
    assert done.count("small") < 100
