"""Is a vLLM page read under old and new names, over all engines, and for what it does not tell?"""

import pytest

from flyball.dialects import vllm
from flyball.model.signals import EngineSample
from support import pages

ONE = EngineSample(
    waiting=1,
    running=3,
    kv_usage=0.25,
    kv_tokens_max=16_000,
    block_tokens=16,
    prefix_hits=400.0,
    prefix_queries=1000.0,
    preemptions=2.0,
)


@pytest.mark.parametrize("old", [False, True])
def test_one_engine_under_both_spellings(old: bool) -> None:
    assert vllm.read(pages.vllm(old=old)) == ONE


def test_engines_of_one_server_are_added_up_and_shares_averaged() -> None:
    assert vllm.read(pages.vllm(ranks=2)) == EngineSample(
        waiting=3,
        running=7,
        kv_usage=0.5,
        kv_tokens_max=32_000,
        block_tokens=16,
        prefix_hits=800.0,
        prefix_queries=2000.0,
        preemptions=4.0,
    )


def test_the_new_name_wins_where_both_stand() -> None:
    both = pages.vllm() + pages.vllm(old=True).replace(b" 0.25\n", b" 0.9\n")
    assert vllm.read(both).kv_usage == 0.25


def test_the_size_in_tokens_is_preferred_to_blocks() -> None:
    page = pages.vllm().replace(b'num_gpu_blocks="1000"', b'kv_cache_size_tokens="9000"')
    assert vllm.read(page).kv_tokens_max == 9000


@pytest.mark.parametrize("blocks", [b"None", b"", b"-5", b"0", b"1e3"])
def test_a_size_that_is_no_number_is_unknown(blocks: bytes) -> None:
    page = pages.vllm().replace(b'num_gpu_blocks="1000"', b'num_gpu_blocks="' + blocks + b'"')
    assert vllm.read(page).kv_tokens_max is None


@pytest.mark.parametrize("bad", [b"NaN", b"+Inf", b"-1", b"oops"])
def test_one_bad_figure_is_unknown_alone(bad: bytes) -> None:
    page = pages.vllm(ranks=2).replace(b" 4.0\n", b" " + bad + b"\n", 1)
    sample = vllm.read(page)
    assert sample.running is None
    assert sample.waiting == 3


def test_an_empty_page_tells_nothing() -> None:
    assert vllm.read(b"") == EngineSample()
