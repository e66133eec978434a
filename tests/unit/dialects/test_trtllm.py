"""Are trtllm-serve's two pages and Triton's backend read, and an empty array taken for nothing?"""

import json

import pytest

from flyball.dialects import trtllm
from flyball.model.signals import EngineSample
from support import pages

KV = {
    "maxNumBlocks": 1000,
    "freeNumBlocks": 400,
    "usedNumBlocks": 600,
    "tokensPerBlock": 64,
    "reusedBlocks": 30,
    "missedBlocks": 70,
    "cacheHitRate": 0.3,
}
ITERATION = {"iter": 7, "numActiveRequests": 5, "numQueuedRequests": 3, "kvCacheStats": KV}
WHOLE = EngineSample(
    waiting=3,
    running=5,
    kv_usage=0.6,
    kv_tokens_max=64_000,
    block_tokens=64,
    prefix_hits=30.0,
    prefix_queries=100.0,
)


def test_the_prometheus_page() -> None:
    assert trtllm.read(pages.TRTLLM) == WHOLE


def test_the_last_iteration_of_the_json_page() -> None:
    older = {**ITERATION, "numActiveRequests": 99}
    assert trtllm.read(json.dumps([older, ITERATION]).encode()) == WHOLE


def test_attention_ranks_of_the_json_page_are_added_up() -> None:
    ranks = [{**ITERATION, "attentionDpRank": rank} for rank in (0, 1, 0, 1)]
    sample = trtllm.read(json.dumps(ranks).encode())
    assert (sample.running, sample.waiting) == (10, 6)
    assert (sample.kv_tokens_max, sample.kv_usage) == (128_000, 0.6)


@pytest.mark.parametrize(
    "page",
    [
        b"[]",
        b"[",
        b"[{}]",
        b"[1]",
        b'[{"kvCacheStats": {}}]',
        b'[{"numActiveRequests": -1, "numQueuedRequests": "x"}]',
        b'[{"kvCacheStats": {"usedNumBlocks": 1, "maxNumBlocks": 0}}]',
        b"[" * 100_000,
        b"",
    ],
)
def test_pages_that_tell_nothing(page: bytes) -> None:
    sample = trtllm.read(page)
    assert (sample.waiting, sample.running, sample.kv_usage, sample.kv_tokens_max) == (None,) * 4


def test_tritons_backend() -> None:
    expected = EngineSample(
        waiting=4, running=7, kv_usage=0.5, kv_tokens_max=384_000, block_tokens=64
    )
    assert trtllm.read(pages.TRITON_TRTLLM) == expected
    without_fraction = b"\n".join(
        line for line in pages.TRITON_TRTLLM.split(b"\n") if b"fraction" not in line
    )
    assert trtllm.read(without_fraction) == expected


def test_an_older_backend_that_tells_no_queue_leaves_it_unknown() -> None:
    page = pages.TRITON_TRTLLM.replace(b'request_type="waiting"', b'request_type="other"')
    assert trtllm.read(page).waiting is None
