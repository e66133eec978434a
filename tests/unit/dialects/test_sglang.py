"""Is an SGLang page read over ranks and priorities, and for each way of telling the KV size?"""

from flyball.dialects import sglang
from flyball.model.signals import EngineSample
from support import pages

RUNNING = b"sglang:num_running_reqs"


def gauge(name: bytes, *labels_and_values: tuple[bytes, bytes]) -> bytes:
    lines = [b"%s{%s} %s" % (name, labels, value) for labels, value in labels_and_values]
    return b"\n".join([b"# TYPE " + name + b" gauge", *lines]) + b"\n"


def test_a_page() -> None:
    assert sglang.read(pages.SGLANG) == EngineSample(
        waiting=2826,
        running=162,
        kv_usage=0.28,
        kv_tokens_max=440_000,
        block_tokens=64,
        prefix_hits=4_500_000.0,
        prefix_queries=8_128_902.0,
        preemptions=6.0,
    )


def test_ranks_of_one_engine_count_once_and_data_parallel_ones_each() -> None:
    page = gauge(
        RUNNING,
        (b'dp_rank="0",tp_rank="0"', b"3"),
        (b'dp_rank="0",tp_rank="1"', b"4"),
        (b'dp_rank="1",tp_rank="0"', b"10"),
        (b'dp_rank="1",tp_rank="1",pp_rank="0"', b"10"),
    )
    assert sglang.read(page).running == 14


def test_the_queue_as_a_whole_counts_once_beside_its_priorities() -> None:
    name = b"sglang:num_queue_reqs"
    per_priority = [(b'priority="1",tp_rank="0"', b"2"), (b'priority="5",tp_rank="0"', b"4")]
    whole = (b'priority="",tp_rank="0"', b"6")
    assert sglang.read(gauge(name, whole, *per_priority)).waiting == 6
    assert sglang.read(gauge(name, *per_priority)).waiting == 6


def test_a_bad_rank_makes_the_figure_unknown() -> None:
    page = gauge(RUNNING, (b'tp_rank="0"', b"3"), (b'tp_rank="1"', b"NaN"))
    assert sglang.read(page).running is None


def test_the_kv_size_from_pages_new_and_old() -> None:
    new = gauge(b"sglang:page_size", (b"", b"64")) + gauge(b"sglang:num_pages", (b"", b"100"))
    old = gauge(b"sglang:cache_config_info", (b'num_pages="100",page_size="64"', b"1"))
    for page in (new, old):
        sample = sglang.read(page)
        assert (sample.kv_tokens_max, sample.block_tokens) == (6400, 64)


def test_before_the_first_hit_there_are_no_hits_rather_than_no_figure() -> None:
    sample = sglang.read(gauge(b"sglang:prompt_tokens_total", (b"", b"10")))
    assert (sample.prefix_hits, sample.prefix_queries) == (0.0, 10.0)


def test_an_empty_page_tells_nothing() -> None:
    assert sglang.read(b"") == EngineSample()
