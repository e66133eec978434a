"""How much of what was possible did all loops together achieve? (Coherence of a run.)

coherence = value of the calls answered in time / the most value that any control could have made of
the same calls on the same fleet (`bound.py`). 1 = the loops lost nothing against each other, nor
to chance. In a closed loop a slow fleet is asked for less, so calls that never came count nowhere:
read it beside the programs completed.
"""

import numpy as np
from msgspec import Struct

from flyball.model.fleet import Fleet
from flyball.model.request import RequestClass
from flyball.sim.bound import Bound, Demand, bound
from flyball.units import Ratio, Seconds, Usd

Columns = dict[str, np.ndarray]


class Coherence(Struct, frozen=True, kw_only=True):
    """`bound_usd` = the most value possible in the time measured; `headroom` = the multiple of this
    load that a perfect control could just serve."""

    ratio: Ratio = 0.0
    bound_usd: Usd = 0.0
    headroom: Ratio = 0.0


def judged(
    fleet: Fleet,
    classes: tuple[RequestClass, ...],
    columns: Columns,
    begin_s: Seconds,
    measured_s: Seconds,
) -> Coherence:
    """Coherence over the calls sent from `begin_s` on, for `measured_s` seconds."""
    inside = columns["sent_at_s"] >= begin_s
    resident, known = reuse(columns)
    found: list[Demand] = []
    achieved = 0.0
    for index, klass in enumerate(classes):
        mine = inside & (columns["class_index"] == index)
        if mine.any():
            found.append(demand(klass, columns, mine, known, resident, measured_s))
            achieved += klass.value_usd * int(columns["in_time"][mine].sum())
    most: Bound = bound(fleet, found)
    possible = most.value_usd_per_s * measured_s
    return Coherence(
        ratio=achieved / possible if possible else 0.0,
        bound_usd=possible,
        headroom=most.headroom,
    )


def reuse(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """(token-seconds of KV kept before each call, prompt tokens that a perfect cache would hold).

    In a session the prompt and answer of the step before are known, if the prompt has grown (a
    compacted context is new). For all other calls: what this run's own caches held.
    """
    known = columns["cached_tokens"].astype(float)
    resident = np.zeros(len(known))
    session = columns["program"]
    order = np.lexsort((columns["sent_at_s"], session))
    before, after = order[:-1], order[1:]
    same = (session[before] == session[after]) & (session[after] >= 0)
    before, after = before[same], after[same]
    whole = columns["input_tokens"][before] + columns["output_tokens"][before]
    grown = columns["input_tokens"][after] >= columns["input_tokens"][before]
    kept = np.where(grown, np.minimum(whole, columns["input_tokens"][after] - 1), 0.0)
    known[after] = np.maximum(known[after], kept)
    done = columns["sent_at_s"][before] + columns["e2e_s"][before]
    resident[after] = kept * np.maximum(0.0, columns["sent_at_s"][after] - done)
    return resident, known


def demand(
    klass: RequestClass,
    columns: Columns,
    mine: np.ndarray,
    known: np.ndarray,
    resident: np.ndarray,
    measured_s: Seconds,
) -> Demand:
    """What those calls ask of a replica, as means per call.

    The answer's length of a call that was not served is unknown here: the mean of the others.
    """
    prompt = columns["input_tokens"][mine].astype(float)
    answered = columns["output_tokens"][mine].astype(float)
    typical = float(answered[answered > 0].mean()) if (answered > 0).any() else 1.0
    answer = np.where(answered > 0, answered, typical)
    prefix = np.minimum(known[mine], prompt)
    fresh = prompt - prefix
    return Demand(
        name=klass.name,
        rate=int(mine.sum()) / measured_s,
        value_usd=klass.value_usd,
        answer=float(answer.mean()),
        answer_context=float((answer * (prompt + answer / 2.0)).mean()),
        fresh=float(fresh.mean()),
        fresh_context=float((fresh * (prefix + fresh / 2.0)).mean()),
        fresh_dropped=float(prompt.mean()),
        fresh_context_dropped=float((prompt * prompt / 2.0).mean()),
        resident=float(resident[mine].mean()),
        tpot_s=klass.promise.tpot_s or np.inf,
        jurisdictions=klass.jurisdictions,
    )
