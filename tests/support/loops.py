"""Which small loop graphs do the tests of diagnosis begin with?"""

from typing import Any

from flyball.diagnosis.topology.graph import Effect, LoopGraph, Member, Reading


def loop(name: str, signal: str = "", **fields: Any) -> Member:
    """A loop `a` on actuator `u.a` that keeps signal `y.a` by a tenth of the error every 10 s."""
    reading: dict[str, Any] = {"signal": signal or f"y.{name}", "sign": -1, "gain": 0.1}
    reading |= {key: fields.pop(key) for key in list(fields) if key in Reading.__struct_fields__}
    given: dict[str, Any] = {"actuator": f"u.{name}", "period_s": 10.0}
    given["reads"] = (Reading(**reading),)
    return Member(name=name, **(given | fields))


def effect(mover: str, reader: str, gain: float | None = 1.0, **fields: Any) -> Effect:
    """Of loop `mover`'s actuator on loop `reader`'s signal."""
    return Effect(actuator=f"u.{mover}", signal=f"y.{reader}", gain=gain, **fields)


def graph(*parts: Member | Effect) -> LoopGraph:
    """The loops and effects given; each loop moves its own signal by gain 1 unless told so."""
    members = tuple(part for part in parts if isinstance(part, Member))
    effects = [part for part in parts if isinstance(part, Effect)]
    told = {(one.actuator, one.signal) for one in effects}
    own = [
        Effect(actuator=one.actuator, signal=one.reads[0].signal, gain=1.0)
        for one in members
        if one.reads and (one.actuator, one.reads[0].signal) not in told
    ]
    return LoopGraph(members=members, effects=(*effects, *own))
