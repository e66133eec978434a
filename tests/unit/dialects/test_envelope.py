"""Is what is wrong with a body named exactly, and is the prompt taken whole and in order?"""

import pytest

from flyball.dialects.envelope import (
    RefusedError,
    read_envelope,
    read_output_bound,
    read_prompt,
)
from flyball.model.faults import Refusal


def refused(body: bytes) -> Refusal:
    with pytest.raises(RefusedError) as caught:
        read_envelope(body)
    return caught.value.refusal


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"model": "m",\n "messages": [1,]}', "line 2 column 17"),
        (b'{"model" "m"}', "line 1 column 10"),
        (b'{"model": "m"', "line 1 column 14"),
        (b"", "line 1 column 1"),
        (b'{"model": "m"} x', "line 1 column 16"),
    ],
)
def test_bad_json_is_located(body: bytes, where: str) -> None:
    refusal = refused(body)
    assert refusal.code == "bad_json"
    assert refusal.detail.endswith(where)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "model"),
        (b'{"model": ""}', "model"),
        (b'{"model": null}', "model"),
        (b'{"model": 5}', "model"),
        (b'{"model": "a\\nb"}', "model"),
        (b'{"model": "%s"}' % (b"x" * 300), "model"),
        (b'{"model": "m", "stream": "yes"}', "stream"),
        (b'{"model": "m", "max_tokens": 1.5}', "max_tokens"),
        (b'{"model": "m", "max_tokens": true}', "max_tokens"),
        (b'{"model": "m", "priority": 99999999999999999999999}', "priority"),
    ],
)
def test_a_bad_field_is_named_in_openais_way(body: bytes, param: str) -> None:
    refusal = refused(body)
    assert (refusal.code, refusal.param) == ("bad_field", param)
    assert f"'{param}'" in refusal.message


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"17", b"null"])
def test_a_body_that_is_no_object(body: bytes) -> None:
    assert refused(body).code == "bad_json"
    assert "JSON object" in refused(body).detail


def test_hostile_bodies_are_refused_without_an_exception_of_another_kind() -> None:
    deep = b'{"model": "m", "messages": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    assert "nested too deeply" in refused(deep).detail
    assert "UTF-8" in refused(b'{"model": "\xff"}').detail


def test_output_bounds_by_their_three_names() -> None:
    def bound(fields: bytes) -> int:
        return read_output_bound(read_envelope(b'{"model": "m"' + fields + b"}"))

    assert bound(b"") == 0
    assert bound(b', "max_tokens": 5') == 5
    assert bound(b', "max_tokens": 5, "max_completion_tokens": 7') == 7
    assert bound(b', "max_output_tokens": 9') == 9
    with pytest.raises(RefusedError) as caught:
        bound(b', "max_tokens": -1')
    assert caught.value.refusal.param == "max_tokens"


def test_prompts_are_taken_in_the_order_the_engine_reads_them() -> None:
    envelope = read_envelope(
        b'{"messages": [1], "system": "s", "instructions": "i", "input": "q", "prompt": "p",'
        b' "tools": [{}], "model": "m"}'
    )
    assert read_prompt("chat", envelope) == b"[{}][1]"
    assert read_prompt("message", envelope) == b'[{}]"s"[1]'
    assert read_prompt("completion", envelope) == b'"p"'
    assert read_prompt("response", envelope) == b'[{}]"i""q"'
    assert read_prompt("embedding", envelope) == b'"q"'


@pytest.mark.parametrize(
    ("operation", "fields", "param"),
    [
        ("chat", b"", "messages"),
        ("chat", b', "messages": "hi"', "messages"),
        ("message", b', "messages": {}', "messages"),
        ("completion", b', "prompt": 3', "prompt"),
        ("embedding", b"", "input"),
        ("response", b', "input": {}', "input"),
    ],
)
def test_a_missing_prompt_is_named(operation: str, fields: bytes, param: str) -> None:
    envelope = read_envelope(b'{"model": "m"' + fields + b"}")
    with pytest.raises(RefusedError) as caught:
        read_prompt(operation, envelope)  # type: ignore[arg-type]
    assert caught.value.refusal.param == param


def test_a_response_may_have_no_input() -> None:
    envelope = read_envelope(b'{"model": "m", "previous_response_id": "r"}')
    assert read_prompt("response", envelope) == b""
