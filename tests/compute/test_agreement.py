"""Machines that differ are told apart by what differs."""

import pytest

from frostline.compute.agreement import check_alike
from frostline.errors import ComputeError
from frostline.provenance import Machine

FACTS = Machine(precision="float32").facts


def test_the_same_machine_is_like_itself() -> None:
    check_alike(FACTS, Machine(precision="float32").facts, "node7")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"python": "3.99.1"}, r"python is 3.99.1 there and 3\.\d+\.\d+ here"),
        (
            {"precision": "mixed_bfloat16"},
            r"precision is mixed_bfloat16 there and float32 here\. .* train.precision",
        ),
        ({"code": "0" * 64}, r"code is 000000000000 there and [0-9a-f]{12} here"),
        ({"libraries": FACTS["libraries"] | {"keras": "2.0"}}, r"keras is 2.0 there and 3\.\S+ here"),
        ({"libraries": {}}, r"keras is not installed there and"),
    ],
)
def test_what_differs_is_named_with_both(changed, words) -> None:
    with pytest.raises(ComputeError, match=rf"^node7 differs from this machine, .*: .*{words}"):
        check_alike(FACTS, FACTS | changed, "node7")
