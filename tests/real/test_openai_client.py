"""Does the official `openai` client work against the gateway over two engines, errors included?"""

import asyncio
from collections.abc import Iterator

import openai
import pytest

from support.live import KEY, Live, live_fleet

MODEL = "llama-3.1-8b"
ASK = [{"role": "user", "content": "Tell me of governors."}]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    profiles = {"h100": "h100/llama-3.1-8b", "l40s": "l40s/llama-3.1-8b"}
    with live_fleet(tmp_path_factory.mktemp("live"), profiles, time_scale=1.0) as found:
        yield found


@pytest.fixture
def client(live: Live) -> openai.OpenAI:
    return openai.OpenAI(base_url=live.url + "/v1", api_key=KEY, max_retries=0)


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=20)
    assert answer.choices[0].message.content
    assert answer.usage and answer.usage.completion_tokens == 20


def test_the_answer_tells_the_decision(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK, max_tokens=5)
    assert raw.headers["x-flyball-request-id"].startswith("req_")
    assert raw.headers["x-flyball-pool"] in ("h100", "l40s")
    assert float(raw.headers["x-flyball-price-usd"]) >= 0
    assert "deadline-ms=" in raw.headers["x-flyball-allowance"]


def test_stream_with_usage(client: openai.OpenAI) -> None:
    events = list(
        client.chat.completions.create(
            model=MODEL,
            messages=ASK,
            max_tokens=30,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(e.choices[0].delta.content or "" for e in events if e.choices)
    assert text
    assert events[-1].usage and events[-1].usage.completion_tokens == 30


def test_tools(client: openai.OpenAI) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    answer = client.chat.completions.create(
        model=MODEL, messages=ASK, tools=[tool], tool_choice="required"
    )
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert answer.choices[0].finish_reason == "tool_calls"


def test_completions_and_embeddings(client: openai.OpenAI) -> None:
    done = client.completions.create(model=MODEL, prompt="Once", max_tokens=8)
    assert done.choices[0].text
    vector = client.embeddings.create(model=MODEL, input="a text").data[0].embedding
    assert len(vector) > 8 and isinstance(vector[0], float)


def test_responses(client: openai.OpenAI) -> None:
    answer = client.responses.create(model=MODEL, input="Tell me.", max_output_tokens=12)
    assert answer.output_text
    kinds = [
        event.type
        for event in client.responses.create(
            model=MODEL, input="Tell me.", max_output_tokens=12, stream=True
        )
    ]
    assert kinds[0] == "response.created" and kinds[-1] == "response.incomplete"


def test_models(client: openai.OpenAI) -> None:
    assert MODEL in [model.id for model in client.models.list()]


def test_async_calls_in_parallel(live: Live) -> None:
    async def ask_all() -> list[str]:
        async with openai.AsyncOpenAI(base_url=live.url + "/v1", api_key=KEY) as client:
            answers = await asyncio.gather(
                *(
                    client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4)
                    for _ in range(32)
                )
            )
        return [answer.choices[0].message.content or "" for answer in answers]

    assert all(asyncio.run(ask_all()))


def test_async_stream_left_early_frees_the_engine(live: Live) -> None:
    async def leave() -> None:
        async with openai.AsyncOpenAI(base_url=live.url + "/v1", api_key=KEY) as client:
            stream = await client.chat.completions.create(
                model=MODEL, messages=ASK, max_tokens=4000, stream=True
            )
            async for _ in stream:
                break
            await stream.close()

    asyncio.run(leave())


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"model": "gpt-none"}, openai.NotFoundError, "model_not_found"),
        ({"extra_headers": {"authorization": "Bearer no"}}, openai.AuthenticationError,
         "invalid_api_key"),
        ({"extra_headers": {"x-flyball-class": "none"}}, openai.BadRequestError, "unknown_class"),
        ({"extra_headers": {"x-slo-ttft-ms": "1"}}, openai.RateLimitError,
         "deadline_unreachable"),
        ({"extra_headers": {"x-flyball-jurisdiction": "US"}}, openai.PermissionDeniedError,
         "jurisdiction_refused"),
        ({"extra_body": {"messages": 5}}, openai.BadRequestError, "bad_field"),
    ],
)  # fmt: skip
def test_errors_are_the_clients_own_classes(
    client: openai.OpenAI, change: dict, error: type[openai.APIStatusError], code: str
) -> None:
    call = {"model": MODEL, "messages": ASK, "max_tokens": 4} | change
    with pytest.raises(error) as caught:
        client.chat.completions.create(**call)
    assert caught.value.code == code
    assert caught.value.response.headers["x-flyball-request-id"]


def test_an_error_of_the_engine_reaches_the_client_as_it_was(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=10_000_000)
    assert caught.value.code == "context_length_exceeded"


def test_unknown_fields_pass_through(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=ASK, max_tokens=4, extra_body={"some_vendor_field": {"a": [1, 2]}}
    )
    assert answer.choices[0].message.content


def test_every_call_above_is_in_the_ledger_in_pairs(live: Live, client: openai.OpenAI) -> None:
    import time
    from collections import Counter

    from flyball.model.decision import Intent, Outcome
    from flyball.serve.log.reader import open_log

    client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4)
    time.sleep(0.5)
    records = [found.record for found in open_log(live.ledger).records()]
    intents = Counter((r.id, r.attempt) for r in records if isinstance(r, Intent))
    outcomes = Counter((r.id, r.attempts) for r in records if isinstance(r, Outcome) and r.attempts)
    assert intents == outcomes and set(intents.values()) == {1}


def test_a_stored_answer_is_continued_in_one_session(live: Live, client: openai.OpenAI) -> None:
    import time

    from flyball.model.decision import Intent
    from flyball.serve.log.reader import open_log

    first = client.responses.create(model=MODEL, input="One.", max_output_tokens=4)
    again = client.responses.with_raw_response.create(
        model=MODEL, input="Two.", max_output_tokens=4, previous_response_id=first.id
    )
    time.sleep(0.5)
    found = open_log(live.ledger).find(again.headers["x-flyball-request-id"])
    intent = next(item.record for item in found if isinstance(item.record, Intent))
    assert intent.session == f"test/{first.id}"
