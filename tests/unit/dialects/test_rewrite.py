"""Is the model's name replaced at the top level only, every other byte left as it was?"""

import json

import pytest

from flyball.dialects.rewrite import rewrite_model

UNTOUCHED = [
    b'{"messages": [{"content": "\\"model\\": \\"x\\""}], "model" : "old" , "n":1}',
    b'{"model":"old","messages":[]}',
    b'{"tools": [{"model": "inner", "x": {"model": "deep"}}], "model": "old"}',
    b'{"user": "model", "model": "old"}',
    b'{"m\\u006fdel_": 1, "model": "old", "t": "\\u00e9"}',
    b'{"say \\"model": "x", "model": "old"}',
    b'{\n  "model"\n:\n"old"\n}\n',
    b'{"model": "o\\"l\\\\d", "x": "}"}',
]


@pytest.mark.parametrize("body", UNTOUCHED)
def test_only_the_top_level_value_changes(body: bytes) -> None:
    rewritten = rewrite_model(body, 'new/"name"')
    before, after = json.loads(body), json.loads(rewritten)
    assert after.pop("model") == 'new/"name"'
    before.pop("model")
    assert after == before
    old = next(text for text in (b'"o\\"l\\\\d"', b'"old"') if text in body)
    assert rewritten == json.dumps('new/"name"').encode().join(body.rsplit(old, 1))


def test_every_spelling_and_copy_of_the_key_is_replaced() -> None:
    body = b'{"model": "a", "m\\u006fdel": "b", "model": "c"}'
    pairs = json.loads(rewrite_model(body, "n"), object_pairs_hook=list)
    assert pairs == [("model", "n")] * 3


def test_an_escaped_key_alone_is_found() -> None:
    assert json.loads(rewrite_model(b'{"\\u006dodel": "a", "b": {"model": 1}}', "n")) == {
        "model": "n",
        "b": {"model": 1},
    }


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"x": {"model": "inner"}, "model": 5}'])
def test_a_body_without_a_model_is_left_alone(body: bytes) -> None:
    assert rewrite_model(body, "new") == body


def test_a_model_that_is_called_model() -> None:
    assert rewrite_model(b'{"model": "model"}', "n") == b'{"model": "n"}'


def test_a_long_text_does_not_exhaust_the_scan() -> None:
    text = b'\\"model\\": ' * 200_000
    body = b'{"model": "a", "model": "a", "p": "' + text + b'"}'
    assert rewrite_model(body, "n").count(b'"n"') == 2
