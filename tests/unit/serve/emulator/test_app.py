"""Do routes, errors, disconnects and injected faults behave as a client would find them?"""

import asyncio
import concurrent.futures
import http.client
import json
import time
import urllib.request
from collections.abc import Callable

import openai
import pytest

from flyball.dialects.vllm import read

MODEL = "llama-3.1-8b"
ASKED = [{"role": "user", "content": "hello"}]


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=10)


def sample(url: str):
    with urllib.request.urlopen(f"{url}/metrics") as page:
        return read(page.read())


def inject(url: str, **fault: object) -> int:
    body = json.dumps(fault).encode()
    request = urllib.request.Request(f"{url}/_emulator/fault", body, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def faulty(url: str):
    yield lambda **fault: inject(url, **fault)
    urllib.request.urlopen(urllib.request.Request(f"{url}/_emulator/fault", method="DELETE"))


def test_models_and_health(url: str) -> None:
    assert [model.id for model in client(url).models.list()] == [MODEL]
    assert urllib.request.urlopen(f"{url}/health").status == 200


def test_embeddings_in_both_codings(url: str) -> None:
    coded = client(url).embeddings.create(model=MODEL, input=["a", "b"])
    plain = client(url).embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float")
    for one, other in zip(coded.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert coded.usage.prompt_tokens == 2


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "nobody"}, 404, "model_not_found"),
        ({"messages": []}, 400, None),
        (
            {"messages": [{"role": "user", "content": "x" * 600_000}]},
            400,
            "context_length_exceeded",
        ),
        ({"max_tokens": 131_072}, 400, "context_length_exceeded"),
    ],
)
def test_errors(url: str, fields: dict[str, object], status: int, code: str | None) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client(url).chat.completions.create(**({"model": MODEL, "messages": ASKED} | fields))
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.message


def test_too_many_waiting(start: Callable[..., str]) -> None:
    url = start("--waiting-max", "1", "--profile", "l4/llama-3.1-8b")

    def once(i: int) -> int:
        try:
            asked = [{"role": "user", "content": f"{i} " * 1000}]
            client(url).chat.completions.create(model=MODEL, messages=asked, max_tokens=1)
            return 200
        except openai.APIStatusError as error:
            assert error.response.headers["Retry-After"] == "1"
            return error.status_code

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        got = sorted(pool.map(once, range(6)))
    assert got[0] == 200
    assert got[-1] == 503


def test_a_client_that_leaves_frees_its_slot(url: str) -> None:
    stream = client(url).chat.completions.create(
        model=MODEL, messages=ASKED, max_tokens=90_000, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    assert sample(url).running == 1
    stream.close()
    limit = time.monotonic() + 5
    while sample(url).running and time.monotonic() < limit:
        time.sleep(0.01)
    assert sample(url).running == 0


def test_injected_errors(url: str, faulty: Callable[..., int]) -> None:
    assert faulty(kind="error-503") == 200
    with pytest.raises(openai.InternalServerError):
        client(url).chat.completions.create(model=MODEL, messages=ASKED)
    urllib.request.urlopen(urllib.request.Request(f"{url}/_emulator/fault", method="DELETE"))
    assert faulty(kind="error-429", ratio=1.0) == 200
    with pytest.raises(openai.RateLimitError):
        client(url).chat.completions.create(model=MODEL, messages=ASKED)
    assert faulty(kind="fire") == 400


@pytest.mark.parametrize("kind", ["garbage", "close-early"])
@pytest.mark.parametrize("stream", [False, True])
def test_spoilt_answers(url: str, faulty: Callable[..., int], kind: str, stream: bool) -> None:
    faulty(kind=kind, after_chunks=3)
    asked = {"model": MODEL, "messages": ASKED, "max_tokens": 20, "stream": stream}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(asked).encode(), method="POST"
    )
    got = b""
    with pytest.raises(http.client.HTTPException) as caught:  # no valid end of the message
        got = urllib.request.urlopen(request, timeout=10).read()
    if stream:
        assert isinstance(caught.value, http.client.IncompleteRead)
        got = caught.value.partial
    assert got.count(b'"content":"') == (4 if stream else 0)  # the role's chunk, then three


def test_a_stall_sends_nothing_more(url: str, faulty: Callable[..., int]) -> None:
    faulty(kind="stall", after_chunks=2)

    async def run() -> list[str]:
        patient = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)
        stream = await patient.chat.completions.create(
            model=MODEL, messages=ASKED, max_tokens=20, stream=True
        )
        got: list[str] = []
        try:
            async with asyncio.timeout(0.5):
                async for chunk in stream:
                    got.append(chunk.choices[0].delta.content or "")
        except TimeoutError:
            pass
        await patient.close()
        return got

    assert len([text for text in asyncio.run(run()) if text]) == 2


def test_slow_answers_take_longer(url: str, faulty: Callable[..., int]) -> None:
    def taken() -> float:
        begun = time.perf_counter()
        client(url).chat.completions.create(
            model=MODEL, messages=ASKED, max_tokens=300, extra_body={"ignore_eos": True}
        )
        return time.perf_counter() - begun

    client(url).models.list()
    plain = taken()
    faulty(kind="slow", factor=20)
    # 300 tokens take 2 s of engine time, 40 ms at fifty times the speed: 0.8 s when slowed
    assert taken() > 0.75
    assert plain < 0.75
