"""What do loops do, period by period: act, advise, hold, fall back, return without a bump?"""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from flyball.governor.commands import Advise, Command, Notice, Record, Set
from flyball.governor.events import Actuated, HoldSet, LoopModeSet, Metered, Sampled, Solved, Tick
from flyball.governor.governor import Governor
from flyball.model.decision import LoopAction
from flyball.model.loop import ForeignLoop, LoopMode, LoopPolicy
from flyball.model.signals import EngineSample
from support import fleets, steering

SCALE = LoopPolicy(
    name="autoscaling",
    mode="enforce",
    scopes=("big",),
    period_s=10.0,
    start_s=20.0,
    rate_per_s=10.0,
)
EIGHT = fleets.fleet(h100=8, l40s=0, metrics=True)


class Play:
    """A core whose demand the test says, ticked once a second."""

    def __init__(self, *loops: LoopPolicy, present: int = 2, **policy: object) -> None:
        self.core = Governor(EIGHT, fleets.policy(loops=loops, **policy))
        self.at = 100.0
        self.rate = 20.0
        self.ready = 8
        self.fed(Actuated(self.at, "pool.replicas", "big", float(present)))
        self.stand(present)

    def fed(self, event: object) -> list[Command]:
        return self.core.handle(event)  # type: ignore[arg-type]

    def stand(self, count: int) -> None:
        for endpoint in self.core.state.view.endpoints:
            endpoint.draining = endpoint.index >= count

    def ticks(self, seconds: int, is_fresh: bool = True) -> Iterator[Command]:
        for _ in range(seconds):
            self.at += 1.0
            steering.demand(self.core.state, {"chat": self.rate})
            for tally in self.core.state.tallies.values():
                tally.updated_at = self.at
            if is_fresh:
                for number in range(8):
                    sample = EngineSample(running=1, waiting=0)
                    self.fed(Sampled(self.at - 0.01, number, sample))
            yield from self.fed(Tick(self.at))

    def sets(self, seconds: int, **how: bool) -> list[tuple[str, float]]:
        found = [one for one in self.ticks(seconds, **how) if isinstance(one, Set)]
        for one in found:
            self.stand(round(one.value))
        return [(one.actuator, one.value) for one in found]


def actions(commands: list[Command]) -> list[LoopAction]:
    found = [one.record for one in commands if isinstance(one, Record)]
    return [one for one in found if isinstance(one, LoopAction) and one.loop != "health"]


def test_a_loop_that_nobody_named_does_not_run() -> None:
    play = Play()
    play.rate = 300.0
    assert not [one for one in play.ticks(60) if isinstance(one, Set | Advise)]


def test_enforced_it_sets_and_writes_down_what_and_why() -> None:
    play = Play(SCALE)
    play.rate = 150.0
    said = list(play.ticks(5))
    (move,) = [one for one in said if isinstance(one, Set)]
    assert (move.loop, move.actuator, move.scope) == ("autoscaling", "pool.replicas", "big")
    assert move.value > 2.0
    (action,) = actions(said)
    assert (action.old, action.new, action.mode) == ("2", f"{move.value:g}", "enforce")
    assert "replicas" in action.reason


@pytest.mark.parametrize("mode", ["observe", "advise"])
def test_not_enforced_it_only_says_what_it_would_do(mode: LoopMode) -> None:
    play = Play(replace(SCALE, mode=mode))
    play.rate = 150.0
    said = list(play.ticks(30))
    assert not [one for one in said if isinstance(one, Set)]
    wishes = [one for one in said if isinstance(one, Advise)]
    assert wishes[-1].wish is not None and wishes[-1].wish > wishes[-1].present == 2.0
    assert {one.mode for one in actions(said)} == {mode}
    told = [one for one in said if isinstance(one, Notice) and one.code == "loop-advice"]
    assert bool(told) == (mode == "advise")


def test_an_unchanged_wish_is_said_once() -> None:
    play = Play(replace(SCALE, mode="advise"))
    list(play.ticks(900))
    assert not [one for one in play.ticks(100) if isinstance(one, Advise | Notice)]


def test_held_it_stands_still_and_goes_on_gently() -> None:
    play = Play(SCALE)
    hold = actions(play.fed(HoldSet(play.at, "", True, play.at + 60.0, "ada", "a deploy")))
    assert [(one.actuator, one.new) for one in hold] == [("loop.hold", "held")]
    assert "ada: a deploy" in hold[0].reason
    play.rate = 150.0
    assert play.sets(59) == []
    moved = play.sets(120)
    values = [value for _, value in moved]
    assert values == sorted(values) and values[-1] > 3.0
    assert values[0] <= 3.0, "the first move after a hold is a small one"


def test_released_it_goes_on_at_once() -> None:
    play = Play(SCALE)
    play.fed(HoldSet(play.at, "autoscaling", True))
    play.rate = 150.0
    assert play.sets(30) == []
    play.fed(HoldSet(play.at, "autoscaling", False, who="ada"))
    assert play.sets(60)


def test_an_operator_sets_a_mode_while_it_runs() -> None:
    play = Play(replace(SCALE, mode="advise"))
    play.rate = 150.0
    assert play.sets(30) == []
    (action,) = actions(play.fed(LoopModeSet(play.at, "autoscaling", "enforce", "ada", "trust")))
    assert (action.old, action.new, action.reason) == ("advise", "enforce", "ada: trust")
    assert play.sets(60)
    assert actions(play.fed(LoopModeSet(play.at, "autoscaling", "enforce"))) == []


def test_with_stale_readings_it_falls_back_and_says_so_once() -> None:
    play = Play(SCALE)
    play.rate = 150.0
    said = list(play.ticks(60, is_fresh=False))
    assert not [one for one in said if isinstance(one, Set)]
    told = [one for one in said if isinstance(one, Notice) and one.code == "loop-fell-back"]
    assert len(told) == 1 and "stale" in told[0].message
    said = list(play.ticks(60))
    assert [one for one in said if isinstance(one, Notice) and one.code == "loop-resumed"]
    assert [one for one in said if isinstance(one, Set)]


def test_after_three_refused_plans_it_falls_back() -> None:
    play = Play(SCALE)
    play.rate = 150.0
    refused = 0
    for _ in range(40):
        solves = [one for one in play.ticks(1) if type(one).__name__ == "Solve"]
        for _ in solves:
            refused += 1
            play.fed(Solved(play.at, None, "no answer"))
    assert refused >= 3
    assert "plans failed" in play.core.state.modes.fallback_of("autoscaling")


def test_a_plant_that_answers_the_wrong_way_is_not_driven_on() -> None:
    """More replicas, and the load of each rises: whatever this moves, it is not what it thinks."""
    play = Play(SCALE, present=4)
    state = play.core.state
    told: list[str] = []
    for step in range(12):
        play.rate = 20.0 if step % 2 else 90.0
        for one in play.ticks(400):
            if isinstance(one, Set):
                play.stand(round(one.value))
                for endpoint in state.view.endpoints:
                    endpoint.running = round(one.value) ** 2 // 2
            elif isinstance(one, Notice) and one.code == "loop-fell-back":
                told.append(one.message)
    assert told and "of what was predicted" in told[0]


def test_an_actuator_that_stays_is_where_the_loop_goes_on_from() -> None:
    play = Play(SCALE)
    play.rate = 150.0
    first = [one for one in play.ticks(11) if isinstance(one, Set)][-1]
    said = play.fed(Actuated(play.at, "pool.replicas", "big", 2.0, "403 forbidden"))
    (notice,) = [one for one in said if isinstance(one, Notice)]
    assert notice.code == "actuator-failed" and "403" in notice.message
    assert play.fed(Actuated(play.at, "pool.replicas", "big", 2.0, "403 forbidden")) == []
    again = [one for one in play.ticks(11) if isinstance(one, Set)][-1]
    assert again.value == first.value


def test_somebody_elses_move_is_taken_as_the_new_start() -> None:
    play = Play(SCALE)
    play.rate = 150.0
    play.sets(40)
    play.fed(Actuated(play.at, "pool.replicas", "big", 7.0))
    point = play.core.state.setpoints.find("pool.replicas", "big")
    assert point is not None and point.present == point.exact == 7.0


def test_beside_an_hpa_on_the_same_replicas_it_only_advises() -> None:
    hpa = ForeignLoop(name="hpa", law="hpa", actuator="pool.replicas", scope="big")
    play = Play(SCALE, foreign_loops=(hpa,))
    play.rate = 150.0
    said = list(play.ticks(60))
    assert not [one for one in said if isinstance(one, Set)]
    shown = [one for one in said if isinstance(one, Advise)]
    assert shown and all(one.mode == "advise" for one in shown)
    assert "foreign loop" in shown[-1].reason


def test_meters_are_kept() -> None:
    play = Play()
    play.fed(Metered(5.0, "site.watts", "us-central", 1234.0))
    assert play.core.state.meters[("site.watts", "us-central")] == (5.0, 1234.0)


def test_a_worker_leaves_the_loops_to_the_control_process() -> None:
    play = Play(SCALE, role="worker")
    play.rate = 300.0
    assert not [one for one in play.ticks(60) if isinstance(one, Set | Advise)]
    held = play.fed(HoldSet(play.at, "retry", True))
    assert held == [], "an operator's act is written down once, where the plan is made"
    assert play.core.state.modes.effective("retry", play.at) == "observe"
