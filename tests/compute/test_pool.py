"""Actors that are free, at work, lost, silent or never there: what was asked for is answered, or said to be lost."""

import os
import signal
import time

import pytest

from frostline.compute.workers import Lost
from frostline.errors import ComputeError

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'frostline[ray]')")


def toy_class(*, broken: bool = False) -> type:
    """What an actor of these tests can do. It is sent as it is: workers cannot import this module."""

    class Toy:
        def __init__(self) -> None:
            if broken:
                raise ModuleNotFoundError("No module named 'frostline'")

        def join(self) -> str:
            return "here"

        def double(self, number: int) -> int:
            return 2 * number

        def process(self) -> int:
            return os.getpid()

        def sleep(self, seconds: float) -> None:
            time.sleep(seconds)

        def die(self) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        def fail(self) -> None:
            raise ValueError("a defect")

    return Toy


@pytest.fixture(scope="module", autouse=True)
def session():
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture
def pool():
    """`pool(size, cpus, minutes)`: of toys, ended after the test."""
    from frostline.compute.pool import Pool

    made = []

    def make(size: int = 2, cpus: float = 1, minutes: float = 1, admit=str, broken: bool = False):
        actor = ray.remote(toy_class(broken=broken)).options(num_cpus=cpus, max_restarts=0)
        made.append(Pool(actor.remote, lambda toy: toy.join.remote(), admit, size=size, minutes=minutes))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_more_is_asked_for_than_there_are_actors(pool) -> None:
    toys = pool()
    for number in range(6):
        toys.submit(number, lambda toy, number=number: toy.double.remote(number))
    found = {}
    for _ in range(6):
        key, value = toys.wait()
        found[key] = value
        toys.release(key)
    assert found == {number: 2 * number for number in range(6)}
    assert len(toys.members) in (1, 2)  # the second may still be beginning
    assert {member.host for member in toys.members} == {"here"}


def test_who_proceeds_has_the_same_actor_until_it_is_released(pool) -> None:
    toys = pool()
    for key in "ab":
        toys.submit(key, lambda toy: toy.process.remote())
    first = dict(toys.wait() for _ in "ab")
    assert first["a"] != first["b"]
    for _ in range(3):
        for key in "ab":
            toys.proceed(key, lambda toy: toy.process.remote())
        assert dict(toys.wait() for _ in "ab") == first
    toys.submit("c", lambda toy: toy.process.remote())
    toys.release("b")
    assert toys.wait() == ("c", first["b"])


def test_an_actor_that_dies_is_lost_and_another_comes(pool) -> None:
    toys = pool(size=1)
    toys.submit("a", lambda toy: toy.die.remote())
    key, lost = toys.wait()
    assert key == "a"
    assert isinstance(lost, Lost)
    assert lost.reason
    toys.submit("a", lambda toy: toy.double.remote(4))
    assert toys.wait() == ("a", 8)


def test_an_actor_that_says_nothing_is_lost_and_another_comes(pool) -> None:
    toys = pool(size=1, minutes=0.1)
    toys.until_joined()
    toys.submit("a", lambda toy: toy.sleep.remote(1000))
    assert toys.wait() == ("a", Lost("it had reported nothing for 0.1 minutes on here"))
    toys.submit("a", lambda toy: toy.double.remote(4))
    assert toys.wait() == ("a", 8)


def test_a_call_that_is_given_up_while_it_runs_ends_its_actor(pool) -> None:
    toys = pool(size=1)
    toys.submit("a", lambda toy: toy.double.remote(1))
    toys.wait()
    toys.proceed("a", lambda toy: toy.sleep.remote(1000))
    toys.release("a")
    toys.submit("b", lambda toy: toy.double.remote(4))
    assert toys.wait() == ("b", 8)


def test_what_is_given_up_before_it_began_is_not_called(pool) -> None:
    toys = pool(size=1)
    for key in "abc":
        toys.submit(key, lambda toy: toy.double.remote(1))
    toys.release("b")
    order = []
    for _ in "ac":
        order.append(toys.wait()[0])
        toys.release(order[-1])
    assert order == ["a", "c"]


def test_a_defect_is_raised_as_it_was(pool) -> None:
    toys = pool(size=1)
    toys.submit("a", lambda toy: toy.fail.remote())
    with pytest.raises(ValueError, match=r"^a defect$"):
        toys.wait()


def test_an_interrupt_is_raised_as_it_was(pool) -> None:
    class Interrupt(BaseException):
        pass

    def interrupt(*_) -> None:
        raise Interrupt

    toys = pool(size=1)
    toys.submit("a", lambda toy: toy.sleep.remote(1000))
    toys.until_joined()
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with pytest.raises(Interrupt):
        toys.wait()
    signal.signal(signal.SIGALRM, before)


def test_who_is_not_admitted_ends_it(pool) -> None:
    def refuse(_: str) -> str:
        raise ComputeError("node7 differs")

    with pytest.raises(ComputeError, match="node7 differs"):
        pool(admit=refuse).until_joined()


def test_where_none_can_begin_the_reason_is_told(pool) -> None:
    with pytest.raises(ComputeError, match=r"^No worker can begin .*: ModuleNotFoundError: No module named 'fr"):
        pool(broken=True).until_joined()


def test_where_there_is_no_room_it_is_said(pool) -> None:
    with pytest.raises(ComputeError, match=r"For 0.05 minutes the cluster has had no room for a worker.* compute.cpus"):
        pool(cpus=3, minutes=0.05).until_joined()
