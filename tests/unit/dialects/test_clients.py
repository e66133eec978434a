"""What do the official openai and anthropic clients really send, obey and raise?

Each is run against its own transport, so what is pinned here is the wire: a new release that sends
or obeys other fields breaks these tests before it breaks users.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from flyball.dialects import surface
from flyball.model.faults import Refusal
from flyball.model.request import Operation, RequestHead

Answer = Callable[[httpx2.Request], httpx2.Response]
MESSAGES: Any = [{"role": "user", "content": "hi"}]


def openai_client(answer: Answer, **options: Any) -> openai.OpenAI:
    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=http, **options)


def anthropic_client(answer: Answer, **options: Any) -> anthropic.Anthropic:
    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return anthropic.Anthropic(api_key="k", base_url="http://gateway", http_client=http, **options)


def read(request: httpx2.Request) -> RequestHead:
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    head = surface.read_head(b"POST", request.url.raw_path, headers, request.content)
    assert isinstance(head, RequestHead), head
    return head


def refuse(refusal: Refusal, operation: Operation) -> httpx2.Response:
    status, headers, body = surface.error_body(refusal, operation, "req-9")
    return httpx2.Response(status, headers=headers, content=body)


def test_openai_sends_key_retry_count_and_read_timeout() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return refuse(Refusal(code="queue_full", retry_after_s=0.001), "chat")

    client = openai_client(answer, timeout=7.5, max_retries=2)
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="m", messages=MESSAGES)
    heads = [read(request) for request in seen]
    assert [head.retry_count for head in heads] == [0, 1, 2]
    assert len({head.body_digest for head in heads}) == 1
    assert {head.deadline_s for head in heads} == {7.5}
    assert "x-stainless-read-timeout" in seen[0].headers
    assert "x-stainless-timeout" not in seen[0].headers
    assert heads[0].key_sha256 == hashlib.sha256(b"k").hexdigest()
    assert (caught.value.code, caught.value.request_id) == ("queue_full", "req-9")


def test_anthropic_sends_key_retry_count_and_both_timeouts() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return refuse(Refusal(code="no_endpoint", retry_after_s=0.001), "message")

    client = anthropic_client(answer, timeout=9.0, max_retries=1)
    with pytest.raises(anthropic.InternalServerError) as caught:
        client.messages.create(model="m", max_tokens=5, messages=MESSAGES)
    heads = [read(request) for request in seen]
    assert [head.retry_count for head in heads] == [0, 1]
    assert {head.operation for head in heads} == {"message"}
    # This field is the request's own timeout ("NOT_GIVEN" here), the other one the client's.
    assert seen[0].headers["x-stainless-timeout"] == "NOT_GIVEN"
    assert seen[0].headers["x-stainless-read-timeout"] == "9.0"
    assert heads[0].deadline_s == 9.0
    assert heads[0].key_sha256 == hashlib.sha256(b"k").hexdigest()
    assert caught.value.request_id == "req-9"
    assert "overloaded_error" in str(caught.value.body)


@pytest.mark.parametrize("client_of", [openai_client, anthropic_client])
def test_both_obey_should_retry_in_both_directions(client_of: Any) -> None:
    for code, should, tries in (("queue_full", False, 1), ("bad_field", True, 3)):
        count = 0
        operation: Operation = "message" if client_of is anthropic_client else "chat"
        refusal = Refusal(code=code, should_retry=should, retry_after_s=0.001)

        def answer(
            _: httpx2.Request, refusal: Refusal = refusal, operation: Operation = operation
        ) -> httpx2.Response:
            nonlocal count
            count += 1
            return refuse(refusal, operation)

        client = client_of(answer, max_retries=2)
        create = (
            client.messages.create if operation == "message" else client.chat.completions.create
        )
        with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)):
            create(model="m", max_tokens=5, messages=MESSAGES)
        assert count == tries


def test_both_take_milliseconds_before_seconds() -> None:
    headers = httpx2.Headers({"retry-after-ms": "250", "retry-after": "9"})
    nobody = lambda _: httpx2.Response(200)  # noqa: E731
    assert openai_client(nobody)._parse_retry_after_header(headers) == 0.25
    assert anthropic_client(nobody)._parse_retry_after_header(headers) == 0.25


def test_openai_gives_up_when_told_to_wait_for_more_than_two_minutes() -> None:
    count = 0

    def answer(_: httpx2.Request) -> httpx2.Response:
        nonlocal count
        count += 1
        return refuse(Refusal(code="queue_full", retry_after_s=121.0), "chat")

    with pytest.raises(openai.RateLimitError):
        openai_client(answer).chat.completions.create(model="m", messages=MESSAGES)
    assert count == 1


def stream_of(operation: Operation) -> Answer:
    failed = surface.error_event(Refusal(code="upstream_failed", detail="cut"), operation, "r")

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=failed)

    return answer


@pytest.mark.parametrize("operation", ["chat", "completion", "response"])
def test_openai_raises_on_the_error_that_ends_a_stream(operation: Operation) -> None:
    client = openai_client(stream_of(operation))
    with pytest.raises(openai.APIError) as caught:
        if operation == "chat":
            list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
        elif operation == "completion":
            list(client.completions.create(model="m", prompt="p", stream=True))
        else:
            list(client.responses.create(model="m", input="q", stream=True))
    assert "The engine failed: cut" in caught.value.message
    assert caught.value.code == "upstream_failed"


def test_anthropic_raises_on_the_error_that_ends_a_stream() -> None:
    client = anthropic_client(stream_of("message"))
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(client.messages.create(model="m", max_tokens=5, messages=MESSAGES, stream=True))
    assert "The engine failed: cut" in str(caught.value)


def test_both_list_the_same_models() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        body = surface.models_body({"m": 1_700_000_000})
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=body)

    assert [model.id for model in openai_client(answer).models.list()] == ["m"]
    listed = list(anthropic_client(answer).models.list())
    assert [model.id for model in listed] == ["m"]
    assert listed[0].created_at.isoformat() == "2023-11-14T22:13:20+00:00"
