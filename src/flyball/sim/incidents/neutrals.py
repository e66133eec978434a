"""What looks like trouble and is none: deploys, drills, waves, bursts, benign changes?

Nobody is harmed in these by their loops, so that every finding in them is a false alarm. I9, whose
errors came from outside in turns, belongs here: users saw errors, but no loop was at fault.
"""

from typing import Any

from flyball.sim.incidents import plant_runs, wiring
from flyball.sim.incidents.scenario import Move, Scenario
from flyball.sim.incidents.scenarios import change

# The pool's clients keep to a retry budget of a tenth: no trigger holds itself up.
_SCALED = {"scale_gain": 0.3}
# Four days of each.
_LONG_H = 96.0


def _neutral(name: str, title: str, *moves: Move, **more: Any) -> Scenario:
    more.setdefault("wiring", wiring.pool())
    return Scenario(name=name, title=title, form="neutral", moves=moves, **more)


POOLS = (
    _neutral(
        "N1",
        "Rolling deploy: 5 % of the replicas away for 15 min, every four hours",
        Move(at_h=2.0, field="stall_s", to=0.05, lasts_s=900.0, every_s=4 * 3600.0),
        settings=_SCALED,
        hours=_LONG_H,
    ),
    _neutral(
        "N2",
        "Failover drill: an eighth of the capacity lost for ten minutes",
        Move(at_h=3.0, field="stall_s", to=0.14, lasts_s=600.0, every_s=6 * 3600.0),
        settings=_SCALED,
        hours=_LONG_H,
    ),
    _neutral(
        "N3",
        "Mix shift: tasks 4 % longer from one hour to the next",
        Move(at_h=4.0, field="rate", to=0.96, over_s=3600.0),
        settings=_SCALED,
        hours=_LONG_H,
    ),
    _neutral(
        "N4",
        "Daily wave of a tenth",
        Move(at_h=0.0, field="load", to=0.1, wave_s=86_400.0),
        settings=_SCALED,
        hours=_LONG_H,
    ),
    _neutral(
        "N5",
        "Bursts of a quarter for three minutes, every two hours",
        Move(at_h=1.0, field="load", to=50.0, lasts_s=180.0, every_s=7200.0),
        settings=_SCALED,
        hours=_LONG_H,
    ),
    _neutral(
        "N6",
        "A bad canary: failures from 0.3 to 1 % for half an hour",
        Move(at_h=5.0, field="fail_base", to=0.01, lasts_s=1800.0),
        hours=_LONG_H,
    ),
    _neutral(
        "N7",
        "Few retries: 20 % of failures, half the load in reserve",
        Move(at_h=4.0, field="load", to=60.0, lasts_s=120.0),
        settings={"persistence": 0.2, "retry_budget": 9.0, "replicas": 80.0},
        hours=_LONG_H,
    ),
    _neutral(
        "N8",
        "A cost loop far from its cliff, its budget raised by 3 %",
        Move(at_h=6.0, field="budget", to=38.2, over_s=600.0),
        settings={"budget": 37.0, "replicas": 60.0},
        wiring=wiring.pool(wiring.COST, wiring.CONTEXT),
        hours=_LONG_H,
    ),
    _neutral(
        "N9",
        "Autoscaler's gain from 0.2 to 0.3, announced",
        Move(at_h=6.0, field="scale_gain", to=0.3),
        settings={"scale_gain": 0.2},
        changes=((6.0, {"version": "v1", "loops": {"autoscaler": {"gain": 0.3}}}),),
        hours=_LONG_H,
    ),
    _neutral(
        "I9",
        "Network, November 2025: a file made anew every five minutes, good and bad in turn",
        Move(at_h=4.0, field="fail_base", to=0.2, lasts_s=300.0, every_s=600.0),
        hours=6.0,
    ),
)
_COURSES = (
    ("still", "batching", ()),
    ("wave", "batching", (Move(at_h=0.0, field="load", to=0.06, wave_s=28_800.0),)),
    ("bursty", "bursty", ()),
    (
        "steps",
        "batching",
        (Move(at_h=2.0, field="load", to=42.0, lasts_s=7200.0, every_s=14_400.0),),
    ),
    ("tokens", "batching", (Move(at_h=1.0, field="tokens", to=1.03, over_s=plant_runs.RAMP_S),)),
    (
        "failures",
        "batching",
        (Move(at_h=1.0, field="fail_more", to=0.025, over_s=plant_runs.RAMP_S),),
    ),
    ("events", "events", ()),
    ("leaving", "leaving", ()),
)
FLEETS = (
    *(
        _neutral(
            f"Q-{name}",
            f"The large fleet, quiet: {name}",
            *moves,
            plant=plant,
            wiring=wiring.fleet(),
            hours=8.0,
        )
        for name, plant, moves in _COURSES
    ),
    change("router_gain", 0.013, "Q-router", form="neutral"),
    change("autoscaler_gain", 0.45, "Q-autoscaler", form="neutral"),
    change("budget", 37.5, "Q-budget", form="neutral"),
)
NEUTRALS = (*POOLS, *FLEETS)
