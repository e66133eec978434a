"""Is a call understood in each of the attribute sets that people write?"""

from typing import Any

import pytest

from flyball.dialects.telemetry.genai import Call, Seen, call_of
from flyball.dialects.telemetry.otlp import Span

SETS: dict[str, dict[str, Any]] = {
    "new": {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 16,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.conversation.id": "s",
        "gen_ai.request.model": "m",
        "server.address": "api",
    },
    "old": {
        "gen_ai.usage.prompt_tokens": 30,
        "gen_ai.usage.completion_tokens": 4,
        "gen_ai.usage.cache_read_input_tokens": 16,
        "gen_ai.server.time_to_first_token": 0.25,
        "session.id": "s",
        "gen_ai.request.model": "m",
        "gen_ai.system": "api",
    },
    "openinference": {
        "openinference.span.kind": "LLM",
        "llm.token_count.prompt": 30,
        "llm.token_count.completion": 4,
        "llm.token_count.prompt_details.cache_read": 16,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "session.id": "s",
        "llm.model_name": "m",
        "llm.provider": "api",
    },
    "langfuse": {
        "gen_ai.usage.input_tokens": "30",
        "gen_ai.usage.output_tokens": "4",
        "gen_ai.usage.cache_read_input_tokens": "16",
        "langfuse.observation.completion_start_time": '"2027-01-15T08:00:00.250Z"',
        "langfuse.session.id": "s",
        "gen_ai.request.model": "m",
        "server.address": "api",
    },
}


def call(attributes: dict[str, Any], name: str = "chat m", is_error: bool = False) -> Call | None:
    return call_of(Span("t", "i", "", name, 1.8e9, 1.8e9 + 2, is_error, attributes), Seen())


@pytest.mark.parametrize("kind", SETS)
def test_each_set_tells_the_same_call(kind: str) -> None:
    found = call(SETS[kind])
    assert found is not None and found.family == "client"
    intent, outcome = found.intent, found.outcome
    assert (intent.model, intent.session, intent.pool, intent.attempt) == ("m", "s", "api", 1)
    assert (outcome.input_tokens, outcome.output_tokens, outcome.cached_tokens) == (30, 4, 16)
    assert outcome.ttft_s == pytest.approx(0.25) and outcome.e2e_s == pytest.approx(2.0)
    assert outcome.outcome == "served" and outcome.in_time


def test_vllm_tells_the_engines_view() -> None:
    said = {
        "gen_ai.usage.prompt_tokens": 5,
        "gen_ai.usage.completion_tokens": 6,
        "gen_ai.latency.time_in_queue": 0.1,
        "gen_ai.latency.time_to_first_token": 0.3,
        "k8s.deployment.name": "fast",
        "k8s.pod.name": "fast-0",
    }
    found = call(said, "llm_request")
    assert found is not None and found.family == "engine" and found.outcome.ttft_s == 0.3
    assert (found.intent.pool, found.intent.endpoint) == ("fast", "fast-0")


def test_our_own_spans_tell_attempt_context_route_and_promise() -> None:
    said = {
        "flyball.decision.id": "req_1",
        "gen_ai.usage.input_tokens": 5,
        "flyball.attempt.n": 2,
        "flyball.context.tokens_offered": 50,
        "flyball.context.tokens_kept": 40,
        "flyball.route.pool": "fast",
        "flyball.route.backend": "fast-1",
        "flyball.route.candidates": ["fast-1", "slow-1"],
        "flyball.route.propensity": 0.75,
        "flyball.in_time": False,
        "flyball.outcome": "served",
    }
    seen = Seen()
    found = call_of(Span("t", "i", "", "x", 1.8e9, 1.8e9 + 1, False, said), seen)
    assert found is not None and found.family == "gateway"
    assert found.intent.is_retry and found.intent.attempt == 2
    assert (found.intent.tokens_offered, found.intent.tokens_kept) == (50, 40)
    assert not found.outcome.in_time
    chances = {one.endpoint: one.propensity for one in found.intent.candidates}
    assert chances == {"fast-1": 0.75, "slow-1": 0.25}
    assert {key for key, count in seen.facts.items() if count} == {
        "pool", "attempt", "context", "propensity",
    }  # fmt: skip


def test_three_candidates_need_each_ones_chance() -> None:
    rows = ["a", "b", "c"]
    said = {"gen_ai.usage.input_tokens": 5, "flyball.route.backend": "a"}
    told = said | {"flyball.route.candidates": rows, "flyball.route.propensity": 0.5}
    found = call(told)
    assert found is not None and found.intent.candidates == ()
    found = call(said | {"flyball.route.candidates": ["a=0.5", "b=0.3", "c=0.2"]})
    assert found is not None
    assert [one.propensity for one in found.intent.candidates] == [0.5, 0.3, 0.2]


@pytest.mark.parametrize(
    ("error", "is_error", "ending"),
    [("429", True, "refused"), ("timeout", True, "deadline"), ("", True, "failed")],
)
def test_endings(error: str, is_error: bool, ending: str) -> None:
    said = {"gen_ai.usage.input_tokens": 5} | ({"error.type": error} if error else {})
    found = call(said, is_error=is_error)
    assert found is not None and found.outcome.outcome == ending and not found.outcome.in_time


def test_a_resent_request_is_a_retry_and_a_release_is_no_other_model() -> None:
    said = {
        "gen_ai.usage.input_tokens": 5,
        "http.request.resend_count": 2,
        "gen_ai.request.model": "org/gpt-x",
        "gen_ai.response.model": "gpt-x-2026-01-01",
    }
    found = call(said)
    assert found is not None and found.intent.attempt == 3 and found.intent.served_model == ""
    found = call(said | {"gen_ai.response.model": "mini"})
    assert found is not None and found.intent.served_model == "mini"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5}, "x"),
        ({"openinference.span.kind": "AGENT", "llm.token_count.prompt": 5}, "x"),
        ({"gen_ai.usage.input_tokens": 5}, "llm_d.pd_proxy.prefill"),
        ({"http.method": "GET"}, "x"),
        ({"gen_ai.usage.input_tokens": "many"}, "x"),
    ],
)
def test_wrappers_and_other_spans_are_no_calls(said: dict[str, Any], name: str) -> None:
    assert call(said, name) is None
