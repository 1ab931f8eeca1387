"""The pictures of a request: every form that MLflow takes, and what is none."""

import json

import pytest
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st

from frostline.serving.limits import Refused, ServingLimits
from frostline.serving.request import read_pictures

LIMITS = ServingLimits(images=8, values=1000)


def contents(body: object) -> list[bytes]:
    return [picture.content for picture in read_pictures(json.dumps(body).encode(), LIMITS)]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [{"image": "aGk="}]},
        {"dataframe_records": [{"id": 7, "score": None, "image": "aGk="}]},
        {"dataframe_split": {"columns": ["image"], "data": [["aGk="]]}},
        {"dataframe_split": {"index": [5], "columns": ["id", "image"], "data": [[7, "aGk="]]}},
        {"dataframe_split": {"data": [["aGk="]]}},
        {"inputs": ["aGk="]},
        {"inputs": "aGk="},
        {"inputs": [[104, 105]]},
        {"inputs": {"image": ["aGk="]}},
        {"inputs": {"id": [7], "image": ["aGk="]}},
        {"inputs": {"image": "aGk="}},
        {"instances": ["aGk="], "signature_name": "serving_default"},
        {"instances": [["aGk="]]},
        {"instances": [{"image": "aGk="}], "params": {"threshold": 0.5}},
        {"instances": [{"b64": "aGk="}]},
        {"instances": [{"image": {"b64": "aGk="}}]},
        {"instances": {"b64": "aGk="}},
    ],
)
def test_every_form_of_one_picture_is_read(body):
    assert contents(body) == [b"hi"]


@pytest.mark.parametrize("body", [b'\xef\xbb\xbf{"inputs": ["aGk="]}', b'{"inputs": ["aG\nk=\n"]}'])
def test_a_byte_order_mark_and_lines_as_a_shell_writes_them_are_no_mistake(body):
    assert [picture.content for picture in read_pictures(body, LIMITS)] == [b"hi"]


def test_a_picture_that_is_not_there_harms_no_other():
    pictures = read_pictures(json.dumps({"dataframe_records": [{"image": "aGk="}, {"id": 3}]}).encode(), LIMITS)
    assert [picture.content for picture in pictures] == [b"hi", b""]
    assert pictures[1].error.startswith("not_bytes: ")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b'{"inputs": ["aGk="], "inputs": ["aGk="]}', 400, r"The body is not JSON \(an object has a key twice\): send"),
        (b'{"inputs": ["aGk="], "instances": ["aGk="]}', 400, "The body holds inputs and instances, but one of them"),
        (b'"inputs"', 400, "holds no list of pictures: send"),
        (b"null", 400, "holds no list of pictures: send"),
        (b"", 400, r"The body is not JSON \(Expecting value"),
        (b'{"inputs": [' + b"1" * 10_000 + b"]}", 400, r"The body is not JSON \(Exceeds the limit \(4300 digits\)"),
        (b'{"dataframe_records": [{"picture": "aGk="}]}', 400, "No picture is called 'image': send"),
        (b'{"dataframe_split": {"columns": ["id"], "data": [[7]]}}', 400, "needs columns of which one is 'image'"),
        (b'{"dataframe_split": {"columns": ["image", "image"], "data": []}}', 400, "needs columns of which one is"),
        (b'{"dataframe_split": {"columns": ["image"], "data": [["a", 7]]}}', 400, "data needs 1 values, one per col"),
        (b'{"dataframe_split": [1]}', 400, "holds no list of pictures: send"),
        (b'{"inputs": [' + b"[]," * 500 + b"[]]}", 413, "holds 1003 JSON values; 1000 are read. Send pictures in base"),
    ],
)
def test_a_body_without_pictures_is_refused(body, status, reason):
    with pytest.raises(Refused, match=reason) as refused:
        read_pictures(body, LIMITS)
    assert refused.value.status == status


FORM = st.sampled_from(
    ["dataframe_records", "dataframe_split", "inputs", "instances", "image", "b64", "columns", "data"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5) | FORM,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FORM, inner, max_size=3),
    max_leaves=12,
)


@given(ANYTHING)
def test_whatever_is_sent_gets_an_answer_that_can_be_sent(body):
    try:
        errors = [picture.error for picture in read_pictures(json.dumps(body).encode(), LIMITS)]
    except Refused as refused:
        errors = [str(refused)]
    assert json.loads(JSONResponse(errors).body) == errors != []
