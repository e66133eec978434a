"""Are Open Inference Protocol servers' queues read, and executions not taken for running ones?"""

from flyball.dialects import triton
from flyball.model.signals import EngineSample
from support import pages


def test_triton_tells_its_queue_over_all_models() -> None:
    assert triton.read(pages.TRITON) == EngineSample(waiting=5)


def test_mlserver_tells_what_runs_apart_from_health_checks() -> None:
    assert triton.read(pages.MLSERVER) == EngineSample(running=2)
