"""What does an SGLang page tell? (docs.sglang.io, references/production_metrics.)

Ranks of tensor, pipeline and expert parallelism are parts of one engine and repeat its figures, so
of those the greatest counts; data-parallel ranks are added up. With priority scheduling the queue
stands once as a whole (label `priority=""`) and once per priority; the whole counts. Prefix figures
are the tokens of finished requests: cached, and all of the prompt. KV size: gauge
`max_total_num_tokens`, or pages from gauges (since 0.5.11) or from labels of `cache_config_info`.
"""

import re

from flyball.dialects.exposition import (
    Sample,
    Samples,
    count,
    first,
    greatest,
    mean,
    ratio,
    read_samples,
    total,
    whole_label,
)
from flyball.model.signals import EngineSample

_WAITING = b"sglang:num_queue_reqs"
_RUNNING = b"sglang:num_running_reqs"
_USAGE = b"sglang:token_usage"
_TOKENS = b"sglang:max_total_num_tokens"
_PAGE_SIZE = b"sglang:page_size"
_PAGES = b"sglang:num_pages"
_CACHE = b"sglang:cache_config_info"
_HITS = b"sglang:cached_tokens_total"
_QUERIES = b"sglang:prompt_tokens_total"
_RETRACTIONS = b"sglang:num_retracted_requests_total"
_WANTED = frozenset(
    (
        _WAITING,
        _RUNNING,
        _USAGE,
        _TOKENS,
        _PAGE_SIZE,
        _PAGES,
        _CACHE,
        _HITS,
        _QUERIES,
        _RETRACTIONS,
    )
)
_RANK_OF_ENGINE = re.compile(rb'(?:tp_rank|pp_rank|moe_ep_rank)="[^"]*",?')


def read(page: bytes) -> EngineSample:
    """One reading; a figure that is absent or no number is None."""
    found = read_samples(page, _WANTED)
    queries = total(found.get(_QUERIES, ()))
    hits = total(found.get(_HITS, ()))
    return EngineSample(
        waiting=count(total(_engines(found, _WAITING))),
        running=count(total(_engines(found, _RUNNING))),
        kv_usage=ratio(mean(_engines(found, _USAGE))),
        kv_tokens_max=_kv_tokens(found),
        block_tokens=_block_tokens(found),
        # The counter of cached tokens is not on the page before the first hit.
        prefix_hits=0.0 if hits is None and _HITS not in found and queries is not None else hits,
        prefix_queries=queries,
        preemptions=total(_engines(found, _RETRACTIONS)),
    )


def _engines(found: Samples, name: bytes) -> list[Sample]:
    """One sample per engine: the whole over priorities, the greatest over ranks of one engine."""
    samples = found.get(name, [])
    wholes = [sample for sample in samples if not sample.label(b"priority")]
    engines: dict[bytes, list[Sample]] = {}
    for sample in wholes or samples:
        engine = _RANK_OF_ENGINE.sub(b"", sample.labels).rstrip(b",")
        engines.setdefault(engine, []).append(sample)
    return [Sample(engine, greatest(ranks)) for engine, ranks in engines.items()]


def _kv_tokens(found: Samples) -> int | None:
    tokens = total(_engines(found, _TOKENS))
    if tokens is None:
        pages = total(_engines(found, _PAGES))
        size = _block_tokens(found)
        if pages is not None and size is not None:
            tokens = pages * size
    if tokens is None:
        cache = _engines(found, _CACHE)
        sizes = [
            (whole_label(sample, b"page_size") or 0) * (whole_label(sample, b"num_pages") or 0)
            for sample in cache
        ]
        tokens = sum(sizes) if sizes and all(sizes) else None
    return count(tokens)


def _block_tokens(found: Samples) -> int | None:
    size = count(first(found.get(_PAGE_SIZE, ())))
    if size is None and _CACHE in found:
        return whole_label(found[_CACHE][0], b"page_size")
    return size
