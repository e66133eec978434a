"""Which incidents are rebuilt, and which ramps and steps lead the large fleet off its cliff?

I1-I20 are published incidents, each cut down to the mechanism that made it: settings of the small
pool (or the large fleet), the trigger, what operators knew, and the loops at fault. They have the
mechanism of the original, not its numbers. Ramps and steps run on the large fleet, also with
queue laws and loops that the twin does not have.
"""

from typing import Any

from flyball.sim.incidents import plant_runs, wiring
from flyball.sim.incidents.scenario import Move, Scenario
from flyball.sim.incidents.truth import Form, Kind

# Clients that try again nearly always, as in the incidents that held themselves up.
_STUBBORN = {"persistence": 0.95, "replicas": 46.0, "retry_budget": 9.0}
_SCALED = {"scale_gain": 0.3}


def _latent(name: str, title: str, loops: tuple[str, ...], *kinds: Kind, **more: Any) -> Scenario:
    return Scenario(name=name, title=title, form="latent", loops=loops, kinds=kinds, **more)


def _dip(field: str, to: float, lasts_s: float) -> tuple[Move, ...]:
    """A trigger of some seconds, four hours in."""
    return (Move(at_h=4.0, field=field, to=to, lasts_s=lasts_s),)


def _add(at_h: float, loops: dict[str, Any], effects: list[Any] | None = None) -> Any:
    return ((at_h, {"version": "v1", "add": loops, "effects": effects or []}),)


PUBLISHED = (
    Scenario(
        name="I1",
        title="Coding agent, spring 2026: context cleared each turn, the agent repeats itself",
        form="ramp",
        settings={"budget": 37.0, "retry_budget": 9.0, "persistence": 0.85, "replicas": 60.0},
        moves=(Move(at_h=3.0, field="budget", to=29.0, over_s=4 * 3600.0),),
        wiring=wiring.pool(wiring.COST, wiring.CONTEXT),
        loops=("cost", "retry"),
        kinds=("fold", "sign", "implicit"),
        began_h=3.0,
    ),
    Scenario(
        name="I2",
        title="Model provider, autumn 2025: a balancer sends 16 % to the wrong pool, and it sticks",
        form="step",
        moves=(Move(at_h=4.0, field="fail_base", to=0.08, over_s=1800.0),),
        wiring=wiring.pool(),
        loops=("router",),
        kinds=("drift",),
        began_h=4.0,
    ),
    Scenario(
        name="I3",
        title="Model provider, December 2024: telemetry whose load grows with the cluster",
        form="step",
        settings=_SCALED,
        moves=(Move(at_h=4.0, field="overhead", to=0.009, over_s=1200.0),),
        wiring=wiring.pool(),
        changes=_add(4.0, wiring.ROLLOUT, wiring.ROLLOUT_DOES),
        loops=("rollout", "autoscaler"),
        kinds=("temporal", "sign"),
        began_h=4.0,
    ),
    _latent(
        "I4",
        "Cloud, October 2025: health checks take good capacity out while it recovers",
        ("health-check", "launch"),
        "sign",
        "implicit",
        "metastable",
        settings={**_STUBBORN, "ejects_per_s": 0.01},
        moves=_dip("stall_s", 1.0, 180.0),
        wiring=wiring.pool(wiring.HEALTH_CHECK, wiring.TARGETS),
    ),
    _latent(
        "I5",
        "Cloud, December 2021: an autoscaling activity makes clients surge and retry",
        ("retry", "autoscaler"),
        "metastable",
        settings={**_STUBBORN, **_SCALED, "replicas_max": 54.0},
        moves=_dip("load", 110.0, 90.0),
        wiring=wiring.pool(),
    ),
    _latent(
        "I6",
        "Cloud, September 2015: slow metadata, nodes time out, leave and ask again",
        ("retry",),
        "metastable",
        settings={"retry_budget": 9.0, "persistence": 1.2, "replicas": 50.0, "patience_s": 12.0},
        moves=_dip("stall_s", 1.5, 90.0),
        wiring=wiring.pool(),
    ),
    _latent(
        "I7",
        "Cloud, April 2011: a network too small; all nodes mirror anew without back-off",
        ("retry",),
        "metastable",
        settings={"retry_budget": 9.0, "persistence": 1.5, "backoff_s": 5.0, "replicas": 54.0},
        moves=_dip("stall_s", 3.0, 120.0),
        wiring=wiring.pool(),
    ),
    Scenario(
        name="I8",
        title="Two companies' traffic engineering, August 2025, without a shared price",
        form="ramp",
        plant="batching",
        moves=(Move(at_h=2.0, field="router_gain", to=0.11, over_s=4 * 3600.0),),
        wiring=wiring.fleet(),
        loops=("router",),
        kinds=("oscillatory", "implicit", "direct"),
        began_h=2.0,
        told_gain={"router": 0.5},
    ),
    Scenario(
        name="I10",
        title="Cloud, June 2019: maintenance automation takes the control plane away",
        form="step",
        moves=(
            Move(at_h=4.0, field="other_period_s", to=300.0),
            Move(at_h=4.0, field="other_share", to=0.1),
        ),
        wiring=wiring.pool(),
        changes=_add(4.0, wiring.writer("maintenance", 300.0)),
        loops=("maintenance", "autoscaler"),
        kinds=("direct",),
        began_h=4.0,
        period_s=300.0,
    ),
    _latent(
        "I11",
        "Cloud, June 2025: after a crash all start again at once, without jitter",
        ("retry",),
        "metastable",
        settings={"retry_budget": 9.0, "persistence": 1.0, "backoff_s": 2.0, "replicas": 47.0},
        moves=_dip("stall_s", 9.0, 200.0),
        wiring=wiring.pool(),
    ),
    _latent(
        "I12",
        "Chat, January 2021: threads wait, the processor idles, the autoscaler removes servers",
        ("autoscaler", "threads"),
        "signal",
        settings={**_SCALED, "sensor": "processor", "patience_s": 30.0},
        moves=(Move(at_h=4.0, field="stall_s", to=0.9, over_s=3600.0),),
        wiring={"version": "v1", "loops": wiring.THREADS, "effects": wiring.THREADS_DO},
    ),
    Scenario(
        name="I13",
        title="Forum, August 2016: a package agent turns on an autoscaler with a stale reading",
        form="step",
        settings={"warm_s": 600.0},
        moves=(
            Move(at_h=4.0, field="other_period_s", to=600.0),
            Move(at_h=4.0, field="other_value", to=9.0),
        ),
        wiring=wiring.pool(),
        changes=_add(4.0, wiring.writer("package-agent", 600.0)),
        loops=("package-agent", "autoscaler"),
        kinds=("direct",),
        began_h=4.0,
        period_s=600.0,
    ),
    _latent(
        "I14",
        "Design tool, November 2024: waiting requests released at once; kills outrun additions",
        ("health-check", "autoscaler"),
        "sign",
        "metastable",
        settings={**_STUBBORN, **_SCALED, "ejects_per_s": 0.03},
        moves=_dip("load", 120.0, 60.0),
        wiring=wiring.pool(wiring.HEALTH_CHECK, wiring.TARGETS),
    ),
    _latent(
        "I15",
        "Social network, September 2010: errors make clients repair, repairs make errors",
        ("retry",),
        "metastable",
        settings={"retry_budget": 9.0, "persistence": 1.6, "backoff_s": 5.0, "replicas": 56.0},
        moves=_dip("fail_base", 0.6, 180.0),
        wiring=wiring.pool(),
    ),
    _latent(
        "I16",
        "Model-serving autoscaler, July 2026: a quota coordinator evicts every 15 s",
        ("coordinator", "autoscaler"),
        "direct",
        "temporal",
        settings=_SCALED,
        moves=(
            Move(at_h=4.0, field="other_period_s", to=15.0),
            Move(at_h=4.0, field="other_share", to=0.05),
        ),
        wiring=wiring.pool(wiring.writer("coordinator", 15.0)),
    ),
    _latent(
        "I17",
        "Cluster tools: a descheduler evicts while the autoscaler shrinks",
        ("descheduler", "autoscaler"),
        "direct",
        "indirect",
        settings={**_SCALED, "start_s": 400.0},
        moves=(
            Move(at_h=4.0, field="other_period_s", to=120.0),
            Move(at_h=4.0, field="other_share", to=0.25),
        ),
        wiring=wiring.pool(wiring.writer("descheduler", 120.0)),
    ),
    _latent(
        "I18",
        "Cluster tools: requests are sized by use, and use is read as a share of the request",
        ("autoscaler", "vertical"),
        "signal",
        settings={**_SCALED, "replicas": 60.0},
        moves=(Move(at_h=4.0, field="vertical", to=1.5),),
        wiring={"version": "v1", "loops": wiring.VERTICAL, "effects": wiring.VERTICAL_DOES},
        hours=12.0,
    ),
    Scenario(
        name="I19",
        title="One agent with a window of errors too short: it asks the same again",
        form="ramp",
        settings={
            "load": 4.0,
            "replicas": 6.4,
            "budget": 3.7,
            "retry_budget": 9.0,
            "persistence": 0.92,
        },
        moves=(Move(at_h=3.0, field="budget", to=2.7, over_s=3 * 3600.0),),
        wiring=wiring.pool(wiring.COST, wiring.CONTEXT),
        loops=("cost", "retry"),
        kinds=("fold", "sign", "implicit"),
        began_h=3.0,
    ),
    _latent(
        "I20",
        "Music and chat, 2013 and later: clients come back at once after a drop",
        ("retry",),
        "metastable",
        settings={"retry_budget": 9.0, "persistence": 0.98, "backoff_s": 1.0, "replicas": 47.0},
        moves=_dip("stall_s", 6.0, 90.0),
        wiring=wiring.pool(),
    ),
)


def _ramp(name: str, plant: str) -> Scenario:
    ramp = plant_runs.RAMPS[name]
    kinds: tuple[Kind, ...] = ("oscillatory",) if ramp.kind == "oscillatory" else ("fold", "sign")
    return Scenario(
        name=f"{name}-{plant}",
        title=f"{ramp.setting} from {ramp.start:g} to {ramp.to:g} in six hours",
        form="ramp",
        plant=plant,
        moves=(Move(at_h=1.0, field=ramp.setting, to=ramp.to, over_s=plant_runs.RAMP_S),),
        wiring=wiring.fleet(),
        loops=ramp.loops,
        kinds=kinds,
        began_h=1.0,
        hours=10.0,
    )


RAMPS = (
    *(_ramp(name, "batching") for name in plant_runs.RAMPS),
    *(_ramp(name, "events") for name in plant_runs.RAMPS),
    *(
        _ramp(name, plant)
        for plant in ("saturating", "slots", "leaving", "chill")
        for name in ("S2", "S4")
    ),
)


def _step(name: str, setting: str, to: float, change: Any, form: Form, **truth: Any) -> Scenario:
    return Scenario(
        name=name,
        title=f"{setting} set to {to:g} at once",
        form=form,
        plant="batching",
        moves=(Move(at_h=3.0, field=setting, to=to),),
        wiring=wiring.fleet(),
        changes=((3.0, {"version": "v1", "loops": change}),),
        hours=6.0,
        began_h=0.0 if form == "neutral" else 3.0,
        **truth,
    )


def change(setting: str, to: float, name: str, form: Form = "step", **truth: Any) -> Scenario:
    """A configuration of the large fleet set to a new value, as operators write it down."""
    keys = {
        "router_gain": ("router", "gain", to * 5.5 / (5.0 * 0.75)),
        "autoscaler_gain": ("autoscaler", "gain", to),
        "budget": ("cost", "target", to),
    }
    loop, key, value = keys[setting]
    return _step(name, setting, to, {loop: {key: value}}, form, **truth)


STEPS = (
    change(
        "router_gain", 0.09, "step-router", loops=("router",), kinds=("oscillatory", "temporal")
    ),
    change(
        "autoscaler_gain",
        2.6,
        "step-autoscaler",
        loops=("autoscaler",),
        kinds=("oscillatory", "temporal"),
    ),
    change("budget", 31.5, "step-budget", loops=("cost", "retry"), kinds=("fold", "sign")),
)
INCIDENTS = (*PUBLISHED, *RAMPS, *STEPS)
