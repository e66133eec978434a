"""Does every rival's core keep its books in a random world, and repeat itself byte for byte?"""

import pytest

from flyball.governor.policy import Resilience
from flyball.sim.rivals import RETRIES, ROUTERS, TRUNCATIONS
from support import fleets
from support.rivals import RivalWorld

SEEDS = (11, 12)


def play(router: str, seed: int, steps: int = 1500, **options: object) -> RivalWorld:
    policy = fleets.policy(resilience=Resilience(held_max=20))
    world = RivalWorld(
        seed=seed, fleet=fleets.fleet(), policy=policy, router=router, core_options=dict(options)
    )
    world.play(steps).drain()
    return world


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("router", sorted(ROUTERS))
def test_books_are_kept(router: str, seed: int) -> None:
    print("router", router, "seed", seed)
    world = play(router, seed)
    world.judge()
    assert len(world.intents) > 200
    assert len({one.endpoint for one in world.intents}) > 1


@pytest.mark.parametrize("router", sorted(ROUTERS))
def test_same_seed_same_bytes(router: str) -> None:
    first, second, other = play(router, 3, 500), play(router, 3, 500), play(router, 4, 500)
    assert first.log == second.log
    assert first.log != other.log


@pytest.mark.parametrize("retry", sorted(RETRIES))
def test_books_are_kept_with_retries_and_truncation(retry: str) -> None:
    truncation = TRUNCATIONS["threshold_truncation"]({"kv_threshold": 0.4, "tokens_min": 16})
    rule = RETRIES[retry](None)
    world = play("epp_default", 21, retry=rule, truncation=truncation)
    world.judge()
    assert any(one.outcome == "retried" for one in world.outcomes)
    assert any(one.tokens_kept < one.tokens_offered for one in world.intents)
    assert getattr(rule, "running", 0) == 0


def test_flow_control_really_holds() -> None:
    world = play("epp_flow", 5)
    world.judge()
    assert max(one.held_s for one in world.intents) > 0.0
