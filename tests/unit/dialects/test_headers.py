"""Are keys, retries, deadlines, promises and Retry-After read off headers, and lies refused?"""

import hashlib

import pytest

from flyball.dialects import headers
from flyball.dialects.envelope import RefusedError
from flyball.model.request import SessionBudget

Fields = dict[bytes, bytes]


@pytest.mark.parametrize(
    "fields",
    [
        {b"authorization": b"Bearer sk-1"},
        {b"authorization": b"bearer   sk-1 "},
        {b"authorization": b"sk-1"},
        {b"x-api-key": b"sk-1"},
        {b"api-key": b"sk-1"},
        {b"authorization": b"Bearer sk-1", b"x-api-key": b"other"},
    ],
)
def test_a_key_is_known_by_its_digest(fields: Fields) -> None:
    assert headers.read_key_sha256(fields) == hashlib.sha256(b"sk-1").hexdigest()


@pytest.mark.parametrize("fields", [{}, {b"authorization": b"Bearer "}, {b"x-api-key": b" "}])
def test_no_key_has_no_digest(fields: Fields) -> None:
    assert headers.read_key_sha256(fields) == ""


def test_the_memory_of_digests_is_bounded() -> None:
    for number in range(headers._KEYS_KEPT_MAX + 50):
        headers.read_key_sha256({b"x-api-key": b"k%d" % number})
    assert len(headers._digests) <= headers._KEYS_KEPT_MAX
    assert headers.read_key_sha256({b"x-api-key": b"k1"}) == hashlib.sha256(b"k1").hexdigest()


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 0),
        ({b"x-stainless-retry-count": b"0"}, 0),
        ({b"x-stainless-retry-count": b"2"}, 2),
        ({b"x-retry-count": b"3"}, 3),
        ({b"x-stainless-retry-count": b"0", b"x-retry-count": b"4"}, 4),
        ({b"x-retry-count": b"-1"}, 0),
        ({b"x-retry-count": b"9" * 5000}, 0),
        ({b"x-retry-count": b"999999999"}, 1000),
    ],
)
def test_retry_counts(fields: Fields, count: int) -> None:
    assert headers.read_retry_count(fields) == count


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({b"x-stainless-timeout": b"600"}, 600.0),
        ({b"x-stainless-read-timeout": b"12.5"}, 12.5),
        ({b"x-stainless-timeout": b"NOT_GIVEN", b"x-stainless-read-timeout": b"30"}, 30.0),
        ({b"x-stainless-timeout": b"None"}, 0.0),
        ({b"x-stainless-timeout": b"inf"}, 0.0),
        ({b"x-stainless-timeout": b"-5"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_clients_own_timeout(fields: Fields, seconds: float) -> None:
    assert headers.read_client_timeout_s(fields) == seconds


def test_hints_of_every_kind() -> None:
    hints = headers.read_hints(
        {
            b"x-flyball-class": b"interactive",
            b"x-llm-d-inference-objective": b"ignored",
            b"x-flyball-jurisdiction": b"EU",
            b"x-request-timeout-ms": b"2500",
            b"x-slo-ttft-ms": b"250.5",
            b"x-llm-d-slo-tpot-ms": b"40",
            b"session_id": b"abc",
        }
    )
    assert hints == headers.HeaderHints(
        class_hint="interactive",
        session_hint="abc",
        session_source="session_id",
        jurisdiction_hint="EU",
        deadline_s=2.5,
        ttft_s_max=0.2505,
        tpot_s_max=0.04,
    )


@pytest.mark.parametrize("name", [b"x-llm-d-inference-objective", b"x-gateway-inference-objective"])
def test_objectives_of_the_endpoint_picker_are_classes(name: bytes) -> None:
    assert headers.read_hints({name: b"batch"}).class_hint == "batch"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-flyball-deadline-ms", b"soon"),
        (b"x-flyball-deadline-ms", b"0"),
        (b"x-flyball-deadline-ms", b"nan"),
        (b"x-slo-ttft-ms", b"-3"),
        (b"x-slo-tpot-ms", b"1e99"),
        (b"x-slo-tpot-ms", b"1_0"),
        (b"x-flyball-class", b"\xff"),
        (b"x-flyball-class", b"a\x01b"),
        (b"x-flyball-jurisdiction", b"x" * 200),
    ],
)
def test_a_bad_field_of_ours_is_refused_by_name(name: bytes, value: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        headers.read_hints({name: value})
    assert caught.value.refusal.param == name.decode()


def test_only_wanted_fields_are_picked() -> None:
    picked = headers.pick_wanted([(b"accept", b"*/*"), (b"x-api-key", b"a"), (b"x-api-key", b"b")])
    assert picked == {b"x-api-key": b"b"}


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ([], 0.0),
        ([(b"retry-after", b"7")], 7.0),
        ([(b"retry-after", b"1.5")], 1.5),
        ([(b"retry-after-ms", b"250"), (b"retry-after", b"9")], 0.25),
        ([(b"retry-after-ms", b"x"), (b"retry-after", b"9")], 9.0),
        ([(b"retry-after", b"Thu, 01 Jan 1970 00:02:00 GMT")], 20.0),
        ([(b"retry-after", b"Thu, 01 Jan 1970 00:00:00 GMT")], 0.0),
        ([(b"retry-after", b"Thu, 01 Jan 1970 00:02:00 -0000")], 20.0),
        ([(b"retry-after", b"-4")], 0.0),
        ([(b"retry-after", b"inf")], 0.0),
        ([(b"retry-after", b"later")], 0.0),
        ([(b"retry-after", b"\xff")], 0.0),
    ],
)
def test_retry_after(fields: list[tuple[bytes, bytes]], seconds: float) -> None:
    assert headers.retry_after(fields, now_unix_s=100.0) == seconds


def test_a_client_may_lower_its_sessions_budget() -> None:
    value = b"steps=50, tokens=2000000,usd=0.5, wall-s=3600"
    hints = headers.read_hints({b"x-flyball-session-budget": value})
    wanted = SessionBudget(steps=50, tokens=2_000_000, usd=0.5, wall_s=3600.0)
    assert hints.session_budget == wanted
    assert headers.read_hints({b"x-flyball-class": b"chat"}).session_budget is None
    assert headers.pick_wanted([(b"x-flyball-session-budget", value)])


@pytest.mark.parametrize("value", [b"", b"steps", b"steps=0", b"steps=-1", b"stpes=5", b"usd=nan"])
def test_a_budget_that_makes_no_sense_is_refused(value: bytes) -> None:
    with pytest.raises(RefusedError, match="steps=50"):
        headers.read_hints({b"x-flyball-session-budget": value})
