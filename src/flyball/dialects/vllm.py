"""What does a vLLM page tell? (docs.vllm.ai, usage/metrics.)

Names changed: `gpu_cache_usage_perc` became `kv_cache_usage_perc`, `gpu_prefix_cache_*` became
`prefix_cache_*` (the new name wins where a page has both). Several engines of one server (data
parallel) stand on one page with label `engine`: counts are added up, shares averaged. The `_perc`
figures are shares of 1. Prefix counters are in tokens.
"""

from flyball.dialects.exposition import (
    Sample,
    Samples,
    count,
    mean,
    ratio,
    read_samples,
    total,
    whole_label,
)
from flyball.model.signals import EngineSample

_WAITING = b"vllm:num_requests_waiting"
_RUNNING = b"vllm:num_requests_running"
_USAGE = (b"vllm:kv_cache_usage_perc", b"vllm:gpu_cache_usage_perc")
_HITS = (b"vllm:prefix_cache_hits_total", b"vllm:gpu_prefix_cache_hits_total")
_QUERIES = (b"vllm:prefix_cache_queries_total", b"vllm:gpu_prefix_cache_queries_total")
_PREEMPTIONS = b"vllm:num_preemptions_total"
_CACHE = b"vllm:cache_config_info"
_WANTED = frozenset((_WAITING, _RUNNING, *_USAGE, *_HITS, *_QUERIES, _PREEMPTIONS, _CACHE))


def read(page: bytes) -> EngineSample:
    """One reading; a figure that is absent or no number is None."""
    found = read_samples(page, _WANTED)
    cache = found.get(_CACHE, [])
    return EngineSample(
        waiting=count(total(found.get(_WAITING, ()))),
        running=count(total(found.get(_RUNNING, ()))),
        kv_usage=ratio(mean(_newest(found, _USAGE))),
        kv_tokens_max=_kv_tokens(cache),
        block_tokens=whole_label(cache[0], b"block_size") if cache else None,
        prefix_hits=total(_newest(found, _HITS)),
        prefix_queries=total(_newest(found, _QUERIES)),
        preemptions=total(found.get(_PREEMPTIONS, ())),
    )


def _newest(found: Samples, names: tuple[bytes, ...]) -> list[Sample]:
    return next((found[name] for name in names if name in found), [])


def _kv_tokens(cache: list[Sample]) -> int | None:
    """Tokens over all engines: `kv_cache_size_tokens` (newer), else block_size x num_gpu_blocks."""
    sizes = [_engine_tokens(sample) for sample in cache]
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


def _engine_tokens(sample: Sample) -> int | None:
    tokens = whole_label(sample, b"kv_cache_size_tokens")
    if tokens is not None:
        return tokens
    block = whole_label(sample, b"block_size")
    blocks = whole_label(sample, b"num_gpu_blocks")
    return block * blocks if block and blocks else None
