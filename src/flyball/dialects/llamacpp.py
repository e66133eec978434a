"""What does a llama.cpp server's page tell? (ggml-org/llama.cpp, tools/server/README.md)

Newer builds have left out `kv_cache_usage_ratio`; it is None there.
"""

from flyball.dialects.exposition import count, mean, ratio, read_samples, total
from flyball.model.signals import EngineSample

_WAITING = b"llamacpp:requests_deferred"
_RUNNING = b"llamacpp:requests_processing"
_USAGE = b"llamacpp:kv_cache_usage_ratio"
_WANTED = frozenset((_WAITING, _RUNNING, _USAGE))


def read(page: bytes) -> EngineSample:
    """One reading; a figure that is absent or no number is None."""
    found = read_samples(page, _WANTED)
    return EngineSample(
        waiting=count(total(found.get(_WAITING, ()))),
        running=count(total(found.get(_RUNNING, ()))),
        kv_usage=ratio(mean(found.get(_USAGE, ()))),
    )
