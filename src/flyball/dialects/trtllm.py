"""What does TensorRT-LLM tell: trtllm-serve's Prometheus page, its JSON, or Triton's backend?

trtllm-serve: `/prometheus/metrics` (names `trtllm_*`, needs `return_perf_metrics`) and the older
`/metrics`, a JSON array of the iterations since it was last read, so two readers take them from
each other; an empty array tells nothing. Triton's TensorRT-LLM backend: `nv_trt_llm_*`
(triton-inference-server/tensorrtllm_backend, metrics). Prefix figures are in blocks.
"""

import math

import msgspec
from msgspec import Struct

from flyball.dialects.exposition import (
    Sample,
    Samples,
    count,
    first,
    mean,
    ratio,
    read_samples,
    total,
)
from flyball.model.signals import EngineSample

_WAITING = b"trtllm_num_requests_waiting"
_RUNNING = b"trtllm_num_requests_running"
_USAGE = b"trtllm_kv_cache_utilization"
_BLOCK = b"trtllm_kv_cache_tokens_per_block"
_BLOCKS = b"trtllm_kv_cache_max_blocks"
_REUSED = b"trtllm_kv_cache_reused_blocks_total"
_MISSED = b"trtllm_kv_cache_missed_blocks_total"
_TRITON_REQUESTS = b"nv_trt_llm_request_metrics"
_TRITON_KV = b"nv_trt_llm_kv_cache_block_metrics"
_WANTED = frozenset(
    (_WAITING, _RUNNING, _USAGE, _BLOCK, _BLOCKS, _REUSED, _MISSED, _TRITON_REQUESTS, _TRITON_KV)
)
_RANKS_MAX = 1024


class _KvStats(Struct, gc=False, rename="camel"):
    max_num_blocks: float | None = None
    used_num_blocks: float | None = None
    tokens_per_block: float | None = None
    reused_blocks: float | None = None
    missed_blocks: float | None = None


class _Iteration(Struct, gc=False, rename="camel"):
    num_active_requests: float | None = None
    num_queued_requests: float | None = None
    attention_dp_rank: int | None = None
    kv_cache_stats: _KvStats | None = None


_DECODE = msgspec.json.Decoder(list[_Iteration]).decode
_NOTHING = EngineSample()


def read(page: bytes) -> EngineSample:
    """One reading of any of the three; a figure that is absent or no number is None."""
    if page[:64].lstrip()[:1] == b"[":
        return _read_json(page)
    found = read_samples(page, _WANTED)
    if _TRITON_REQUESTS in found or _TRITON_KV in found:
        return _read_triton(found)
    block = count(first(found.get(_BLOCK, ())))
    blocks = count(total(found.get(_BLOCKS, ())))
    reused = total(found.get(_REUSED, ()))
    return EngineSample(
        waiting=count(total(found.get(_WAITING, ()))),
        running=count(total(found.get(_RUNNING, ()))),
        kv_usage=ratio(mean(found.get(_USAGE, ()))),
        kv_tokens_max=_product(block, blocks),
        block_tokens=block,
        prefix_hits=reused,
        prefix_queries=_sum(reused, total(found.get(_MISSED, ()))),
    )


def _read_triton(found: Samples) -> EngineSample:
    requests, kv = found.get(_TRITON_REQUESTS, []), found.get(_TRITON_KV, [])
    block = count(first(_of_kind(kv, b"kv_cache_block_type", b"tokens_per")))
    blocks = total(_of_kind(kv, b"kv_cache_block_type", b"max"))
    usage = mean(_of_kind(kv, b"kv_cache_block_type", b"fraction"))
    if usage is None:
        usage = _share(total(_of_kind(kv, b"kv_cache_block_type", b"used")), blocks)
    return EngineSample(
        waiting=count(total(_of_kind(requests, b"request_type", b"waiting"))),
        running=count(total(_of_kind(requests, b"request_type", b"scheduled"))),
        kv_usage=ratio(usage),
        kv_tokens_max=_product(block, count(blocks)),
        block_tokens=block,
    )


def _read_json(page: bytes) -> EngineSample:
    """The last iteration of each attention-parallel rank, added up."""
    try:
        iterations = _DECODE(page)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NOTHING
    last = {entry.attention_dp_rank: entry for entry in iterations[-_RANKS_MAX:]}.values()
    stats = [entry.kv_cache_stats for entry in last if entry.kv_cache_stats]
    blocks = _total([each.max_num_blocks for each in stats])
    used = _total([each.used_num_blocks for each in stats])
    block = next((_checked(each.tokens_per_block) for each in stats), None)
    reused = _total([each.reused_blocks for each in stats])
    return EngineSample(
        waiting=count(_total([entry.num_queued_requests for entry in last])),
        running=count(_total([entry.num_active_requests for entry in last])),
        kv_usage=ratio(_share(used, blocks)),
        kv_tokens_max=_product(count(block), count(blocks)),
        block_tokens=count(block),
        prefix_hits=reused,
        prefix_queries=_sum(reused, _total([each.missed_blocks for each in stats])),
    )


def _of_kind(samples: list[Sample], label: bytes, kind: bytes) -> list[Sample]:
    return [sample for sample in samples if sample.label(label) == kind]


def _checked(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and value >= 0 else None


def _total(values: list[float | None]) -> float | None:
    known = [value for value in map(_checked, values) if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _product(block: int | None, blocks: int | None) -> int | None:
    return block * blocks if block and blocks else None


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _sum(a: float | None, b: float | None) -> float | None:
    return a + b if a is not None and b is not None else None
