"""Do operators see each loop's mode and wish, and do their acts reach governor and workers?"""

import asyncio
from collections.abc import Callable

from flyball.governor.commands import Advise, Set
from flyball.governor.events import Actuated, Event, HoldSet, LoopModeSet
from flyball.model.decision import LoopAction
from flyball.serve.process.operator import Act
from flyball.serve.process.steering import Steering, drivers, known_loops
from flyball.serve.telemetry.prometheus import Telemetry
from support.configs import config

LOOPS = """\
loops: [{name: autoscaling, scopes: [small]}]
actuators: [{actuator: pool.clock, scope: small, kind: command, words: ["true"]}]
principals:"""
CONFIG = config(("principals:", LOOPS))
WISH = Advise(5.0, "autoscaling", "pool.replicas", "small", 1.0, 3.0, "advise", "busy")


def steered(
    play: Callable[[Steering], None], wait_s: float = 0.0
) -> tuple[list[Event], list[Event]]:
    fed: list[Event] = []
    shared: list[Event] = []

    async def run() -> None:
        made = Steering(CONFIG, Telemetry(CONFIG), fed.append, shared.append, lambda: 10.0, print)
        made.start()
        play(made)
        await asyncio.sleep(wait_s)
        await made.stop()

    asyncio.run(run())
    return fed, shared


def test_a_hold_goes_to_governor_and_workers_and_shows() -> None:
    pages = []

    def play(steering: Steering) -> None:
        act = Act(act="hold", loop="autoscaling", for_s=60.0, reason="why", who="ada")
        pages.append(steering.act(act))
        pages.append(steering.act(Act(act="release", loop="autoscaling")))

    fed, shared = steered(play)
    assert fed == shared
    assert fed[0] == HoldSet(10.0, "autoscaling", True, 70.0, "ada", "why")
    (status, held), (_, free) = pages
    row = {one["name"]: one for one in held["loops"]}["autoscaling"]
    assert status == 200
    assert (row["held"], row["held_for_s"], row["mode"], row["acting"]) == (
        True,
        60.0,
        "advise",
        "observe",
    )
    assert row["why"] == "held by ada: why"
    assert not any(one["held"] for one in free["loops"])


def test_a_mode_is_set_and_given_back() -> None:
    def play(steering: Steering) -> None:
        steering.act(Act(act="mode", loop="autoscaling", mode="enforce"))
        assert steering.modes.effective("autoscaling", 10.0) == "enforce"
        steering.act(Act(act="mode", loop="autoscaling"))
        assert steering.modes.effective("autoscaling", 10.0) == "advise"

    fed, _ = steered(play)
    assert fed[0] == LoopModeSet(10.0, "autoscaling", "enforce", "", "")


def test_a_loop_that_there_is_not_is_named_with_those_that_are() -> None:
    def play(steering: Steering) -> None:
        status, answer = steering.act(Act(act="hold", loop="autoscale"))
        assert status == 404 and "autoscaling" in answer["error"]

    assert steered(play) == ([], [])


def test_wishes_are_on_the_page_with_their_age_and_the_newest_replaces() -> None:
    def play(steering: Steering) -> None:
        steering.advise(WISH)
        steering.advise(WISH)
        (wish,) = steering.page(10.0)["wishes"]
        assert (wish["wish"], wish["present"], wish["age_s"]) == (3.0, 1.0, 5.0)

    steered(play)


def test_a_fall_back_of_the_governor_shows() -> None:
    def play(steering: Steering) -> None:
        for new in ("standing", "acting"):
            steering.watch(
                LoopAction(
                    id="a",
                    at=5.0,
                    loop="autoscaling",
                    actuator="loop.fallback",
                    scope="autoscaling",
                    old="",
                    new=new,
                    reason="stale",
                    mode="observe",
                )
            )
            why = steering.modes.why("autoscaling", 10.0)
            assert why == ("fell back: stale" if new == "standing" else "")

    steered(play)


def test_a_set_point_goes_to_its_driver() -> None:
    fed, _ = steered(lambda s: s.set(Set("power", "pool.clock", "small", 0.8)), wait_s=0.5)
    assert fed == [Actuated(10.0, "pool.clock", "small", 0.8)]


def test_a_new_configuration_brings_its_own_drivers() -> None:
    async def run() -> None:
        fed: list[Event] = []
        made = Steering(CONFIG, Telemetry(CONFIG), fed.append, fed.append, lambda: 10.0, print)
        await made.adopt(config())
        made.set(Set("power", "pool.clock", "small", 0.8))
        await made.stop()
        assert isinstance(fed[0], Actuated) and "nothing is configured" in fed[0].fault

    asyncio.run(run())


def test_every_loop_there_is_may_be_held() -> None:
    assert {"health", "context", "autoscaling", "power", "retry"} <= known_loops(CONFIG)
    assert list(drivers(CONFIG)) == [("pool.clock", "small")]


def test_holds_of_diagnosis_reach_the_workers_and_leave_those_of_people_alone() -> None:
    seen: list[bool] = []

    def play(steering: Steering) -> None:
        steering.held_by_diagnosis({}, {"autoscaling": "FB-104"})
        seen.append(steering.modes.hold_of("autoscaling", 10.0) is not None)
        steering.held_by_diagnosis({"autoscaling": "FB-104"}, {})
        seen.append(steering.modes.hold_of("autoscaling", 10.0) is not None)
        steering.act(Act(act="hold", loop="autoscaling", reason="why", who="ada"))
        steering.held_by_diagnosis({}, {"autoscaling": "FB-104"})
        steering.held_by_diagnosis({"autoscaling": "FB-104"}, {})
        hold = steering.modes.hold_of("autoscaling", 10.0)
        seen.append(hold is not None and hold.who == "ada")

    fed, shared = steered(play)
    assert seen == [True, False, True]
    assert len(fed) == 1, "the governor has held them by itself"
    told = [(one.is_held, one.who) for one in shared if isinstance(one, HoldSet)]
    assert told == [(True, "diagnosis"), (False, "diagnosis"), (True, "ada")]
