"""Do the governor, a rival and a rival autoscaler have the shapes that the world asks for?"""

from flyball.governor.events import Tick
from flyball.governor.governor import Governor
from flyball.sim.loops import Autoscaler, Core, PoolReading
from flyball.sim.rivals import AUTOSCALERS
from support.fleets import fleet, policy


def test_a_governor_is_a_core() -> None:
    core: Core = Governor(fleet(), policy())
    assert isinstance(core.handle(Tick(1.0)), list)


def test_every_rival_autoscaler_answers_a_reading() -> None:
    reading = PoolReading(
        at=60.0,
        pool="big",
        ready=2,
        starting=0,
        draining=0,
        replicas=(),
        held=0,
        request_rate=1.0,
        prompt_tokens_mean=100,
        output_tokens_mean=50,
        ttft_s_mean=0.2,
        ttft_s_p99=0.5,
        itl_s_mean=0.02,
        busy_ratio=0.5,
    )
    for make in AUTOSCALERS.values():
        one: Autoscaler = make(fleet(), None)
        assert one.period_s > 0
        assert 0 <= one.desired(reading) <= 8
