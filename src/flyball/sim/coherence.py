"""How much of what was possible did all loops together achieve? (Coherence of a run.)

coherence = value of the calls answered in time / the most value that any control could have made of
the same calls on the same fleet (`bound.py`). 1 = the loops lost nothing against each other, nor
to chance. A class is cut into parts of like size, since a control that cannot serve all would serve
the small ones. In a closed loop a slow fleet is asked for less, so calls that never came count
nowhere: read it beside the programs completed.
"""

import numpy as np
from msgspec import Struct

from flyball.model.fleet import Fleet
from flyball.model.request import RequestClass
from flyball.sim.bound import Demand, headroom, value_max
from flyball.units import Ratio, Seconds, Tokens, Usd

Columns = dict[str, np.ndarray]
PARTS = 6
# Of a part: fewer calls than this say little about themselves.
_PART_CALLS_MIN = 20
# By which calls are sorted: a token of an answer reads the KV of its whole context, and costs about
# ten tokens of a prompt on the catalogue's profiles.
_ANSWER_WEIGHT: Tokens = 10


class Coherence(Struct, frozen=True, kw_only=True):
    """`bound_usd` = the most value possible of the calls measured; `headroom` = the multiple of
    this load that a perfect control could just serve."""

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
    """Coherence over the calls sent from `begin_s` on, for `measured_s` seconds.

    The fleet had until the last good answer's end to make that value, and so has the bound.
    """
    inside = columns["sent_at_s"] >= begin_s
    resident, known = reuse(columns)
    asked: list[Demand] = []
    achieved = 0.0
    for index, klass in enumerate(classes):
        mine = inside & (columns["class_index"] == index)
        achieved += klass.value_usd * int(columns["in_time"][mine].sum())
        for part in parts(columns, mine):
            asked.append(demand(klass, columns, part, known, resident))
    good = inside & (columns["in_time"] == 1)
    ends_s = (columns["sent_at_s"] + columns["e2e_s"])[good]
    had_s = max(measured_s, float(ends_s.max()) - begin_s if len(ends_s) else 0.0)
    possible = value_max(fleet, [one.over(had_s) for one in asked]) * had_s
    return Coherence(
        ratio=achieved / possible if possible else 0.0,
        bound_usd=possible,
        headroom=headroom(fleet, [one.over(measured_s) for one in asked]),
    )


def parts(columns: Columns, mine: np.ndarray) -> list[np.ndarray]:
    """Masks of like-sized calls of those: by prompt and answer, each part as many."""
    chosen = np.flatnonzero(mine)
    if not len(chosen):
        return []
    count = max(1, min(PARTS, len(chosen) // _PART_CALLS_MIN))
    size = columns["input_tokens"][chosen] + columns["wanted_tokens"][chosen] * _ANSWER_WEIGHT
    found: list[np.ndarray] = []
    for numbers in np.array_split(chosen[np.argsort(size, kind="stable")], count):
        mask = np.zeros(len(mine), dtype=bool)
        mask[numbers] = True
        found.append(mask)
    return found


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
) -> Demand:
    """What those calls ask of a replica, as means per call; `rate` = how many they are."""
    prompt = columns["input_tokens"][mine].astype(float)
    answer = columns["wanted_tokens"][mine].astype(float)
    prefix = np.minimum(known[mine], prompt)
    fresh = prompt - prefix
    return Demand(
        name=klass.name,
        rate=float(len(prompt)),
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
