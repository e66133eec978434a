"""Is a llama.cpp page read, with and without its KV cache gauge?"""

from flyball.dialects import llamacpp
from flyball.model.signals import EngineSample
from support import pages


def test_a_page() -> None:
    assert llamacpp.read(pages.LLAMACPP) == EngineSample(waiting=1, running=2, kv_usage=0.63)


def test_a_newer_build_leaves_the_cache_unknown() -> None:
    page = pages.LLAMACPP.replace(b"kv_cache_usage_ratio", b"something_else")
    assert llamacpp.read(page) == EngineSample(waiting=1, running=2)
