"""Do the readers of other people's words keep their promises for any input at all?"""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flyball.dialects import surface
from flyball.dialects.engines import ENGINES, read_metrics
from flyball.dialects.prompt import BLOCK_BYTES, chain_hashes
from flyball.model.faults import Refusal
from flyball.model.request import RequestHead

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
LEAF = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)
KNOWN = st.sampled_from(
    [
        "model",
        "messages",
        "prompt",
        "input",
        "stream",
        "max_tokens",
        "tools",
        "metadata",
        "user",
        "conversation",
        "prompt_cache_key",
        "previous_response_id",
        "priority",
        "system",
        "inputs",
    ]
)
OBJECT = st.dictionaries(KNOWN | TEXT, VALUE, max_size=8)
TARGET = st.sampled_from(
    [
        b"/v1/chat/completions",
        b"/v1/completions",
        b"/v1/embeddings",
        b"/v1/responses",
        b"/v1/messages",
        b"/v2/models/m/infer",
    ]
)
NAMES = st.sampled_from(
    (
        b"authorization x-api-key x-flyball-session x-flyball-deadline-ms x-slo-ttft-ms"
        b" x-stainless-timeout x-retry-count x-flyball-class inference-header-content-length"
        b" session_id"
    ).split()
)
HEADERS = st.lists(st.tuples(NAMES, st.binary(max_size=40)), max_size=5)


@given(TARGET, OBJECT, HEADERS)
def test_any_object_gives_a_head_or_a_refusal(
    target: bytes, fields: dict[str, Any], headers: list[tuple[bytes, bytes]]
) -> None:
    read = surface.read_head(b"POST", target, headers, json.dumps(fields).encode())
    assert isinstance(read, RequestHead | Refusal)
    if isinstance(read, Refusal):
        assert json.loads(surface.error_body(read, "chat", "r")[2])


@given(st.binary(max_size=12), st.binary(max_size=200), TARGET, HEADERS, st.binary(max_size=300))
def test_any_bytes_give_a_head_or_a_refusal(
    method: bytes, path: bytes, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    for verb, where in ((b"POST", target), (method, path), (b"GET", b"/v2/models/" + path)):
        read = surface.read_head(verb, where, headers, body)
        assert isinstance(read, RequestHead | Refusal)


@given(OBJECT, TEXT)
def test_extra_fields_change_nothing_but_are_kept(extra: dict[str, Any], model: str) -> None:
    sent = {**{f"x-{key}": value for key, value in extra.items()}, "model": "old", "messages": []}
    body = json.dumps(sent, ensure_ascii=False).encode()
    assert isinstance(surface.read_head(b"POST", b"/v1/chat/completions", [], body), RequestHead)
    assert json.loads(surface.rewrite_model(body, model)) == {**sent, "model": model}


@given(OBJECT, TEXT, st.booleans(), st.sampled_from([None, 1]))
@example({"model": {"model": "model"}}, '"model"', True, None)
def test_rewriting_keeps_all_else_equal(
    fields: dict[str, Any], model: str, escaped: bool, indent: int | None
) -> None:
    fields["model"] = "old"
    body = json.dumps(fields, ensure_ascii=escaped, indent=indent).encode()
    assert json.loads(surface.rewrite_model(body, model)) == {**fields, "model": model}


@given(st.binary(max_size=6 * BLOCK_BYTES), st.binary(max_size=3 * BLOCK_BYTES))
def test_a_longer_prompt_keeps_the_hashes_of_the_shorter(start: bytes, more: bytes) -> None:
    shorter, longer = chain_hashes(start)[0], chain_hashes(start + more)[0]
    assert longer[: len(shorter)] == shorter


@given(st.binary(min_size=1, max_size=5 * BLOCK_BYTES), st.data())
def test_hashes_agree_exactly_up_to_the_first_change(prompt: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(prompt) - 1))
    changed = prompt[:at] + bytes([prompt[at] ^ 0xFF]) + prompt[at + 1 :]
    (before, digest), (after, other) = chain_hashes(prompt), chain_hashes(changed)
    assert digest != other
    for block, (one, two) in enumerate(zip(before, after, strict=True)):
        assert (one == two) == (block < at // BLOCK_BYTES)


@given(st.binary(max_size=500), st.sampled_from(["chat", "message", "response"]), st.booleans())
def test_usage_never_raises_and_is_never_negative(
    noise: bytes, operation: Any, streamed: bool
) -> None:
    for tail in (noise, b'{"usage":' + noise, b'"usage":{"prompt_tokens":3}' + noise):
        usage = surface.read_usage(tail, operation, streamed)
        assert min(usage.input_tokens, usage.cached_tokens, usage.output_tokens) >= 0


LINES = st.lists(
    st.builds(
        lambda name, rest: name + rest,
        st.sampled_from(
            [
                b"vllm:num_requests_waiting",
                b"vllm:cache_config_info",
                b"sglang:num_queue_reqs",
                b"sglang:token_usage",
                b"trtllm_num_requests_waiting",
                b"nv_trt_llm_request_metrics",
                b"nv_inference_pending_request_count",
                b"llamacpp:requests_deferred",
                b"# TYPE ",
            ]
        ),
        st.sampled_from([b" 1", b'{a="b"} 2', b'{a="}"} NaN', b"{", b" -3", b'{x="'])
        | st.binary(max_size=30),
    ),
    max_size=12,
)


@settings(max_examples=200)
@given(st.sampled_from([*ENGINES, "other"]), LINES, st.binary(max_size=40))
def test_any_page_is_a_sample_of_sensible_figures(
    kind: str, lines: list[bytes], noise: bytes
) -> None:
    sample = read_metrics(kind, b"\n".join([*lines, noise]))
    for value in (sample.waiting, sample.running, sample.preemptions, sample.kv_tokens_max):
        assert value is None or value >= 0
    assert sample.kv_usage is None or 0 <= sample.kv_usage <= 1
