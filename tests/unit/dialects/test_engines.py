"""Does every kind of engine have its row, its reader, and nothing where it tells nothing?"""

from typing import get_args

import pytest

from flyball.dialects.engines import ENGINES, read_metrics
from flyball.model.fleet import EngineKind, Surface
from flyball.model.signals import EngineSample
from support import pages


def test_every_kind_has_a_row() -> None:
    assert set(ENGINES) == set(get_args(EngineKind))
    for kind, traits in ENGINES.items():
        assert traits.kind == kind
        assert traits.surfaces
        assert set(traits.surfaces) <= set(get_args(Surface))
        for path in (traits.metrics_path, traits.health_path):
            assert path == "" or path.startswith("/")


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("vllm", pages.vllm()),
        ("sglang", pages.SGLANG),
        ("trtllm", pages.TRTLLM),
        ("llamacpp", pages.LLAMACPP),
        ("oip", pages.TRITON),
    ],
)
def test_each_reader_reads_its_own_page_and_no_other(kind: str, page: bytes) -> None:
    assert read_metrics(kind, page).waiting is not None
    assert ENGINES[kind].metrics_path  # type: ignore[index]
    for other in ENGINES:
        if other != kind:
            assert read_metrics(other, page) == EngineSample()


@pytest.mark.parametrize("kind", ["ollama", "openai", "no-such-kind"])
def test_kinds_without_metrics_tell_nothing(kind: str) -> None:
    assert read_metrics(kind, pages.vllm()) == EngineSample()
