"""In which ways may each class be served at each pool, and what does one request use there?

All classes and pools at once, as columns: 300 x 100 as structs would hold the event loop for 50 ms.
The formulas are those of `pricing.work`; at clock f a step takes 1 / f as long and energy for the
same work goes with f^2 (`governor.loops.power`), while GPU time is told in seconds of full clock.
"""

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flyball.governor.flight import ANYONE
from flyball.governor.loops.context import CONTEXT, GAIN_MIN, STEP
from flyball.governor.loops.speculation import ACCEPTANCE, accepted, best_guesses, step_seconds
from flyball.governor.scope import residency
from flyball.governor.state import State
from flyball.model.fleet import Pool
from flyball.model.profile import Profile
from flyball.model.request import RequestClass
from flyball.pricing.arrays import Floats, Ints, pack
from flyball.pricing.problem import Columns, PoolCapacity
from flyball.pricing.work import ANSWER_TOKEN_BYTES, BATCH_MAX, PROMPT_TOKEN_BYTES

Mask = NDArray[np.bool_]

# Serving late is worth a little still: it keeps the problem's demand prices honest under overload.
LATE_VALUE_RATIO = 0.1
FULL, RECOMPUTE, CUT, SPECULATE = "full", "recompute", "cut", "speculate"
MODES = (FULL, RECOMPUTE, CUT, SPECULATE)
# The batch at which guessing ahead is weighed, where nothing runs yet.
TYPICAL_BATCH = 8.0


class Classes(NamedTuple):
    """The classes with demand and what their requests are like: arrays have shape (C, 1).

    `kept_token_s` = context that a session keeps between its steps, tokens x seconds per request.
    """

    items: tuple[RequestClass, ...]
    input_tokens: Floats
    output_tokens: Floats
    cached_ratio: Floats
    kept_token_s: Floats
    value_usd: Floats
    budget_index: Ints


class _Pools(NamedTuple):
    """Figures of the problem's pools, (P,)."""

    base_s: Floats
    per_seq_s: Floats
    per_kv_token_s: Floats
    mixed_base_s: Floats
    prompt_token_s: Floats
    seqs_max: Floats
    kv_tokens_max: Floats
    dynamic_watts: Floats
    half_batch: Floats
    input_usd: Floats
    output_usd: Floats
    rtt_s: Floats
    clock: Floats


class _Mode(NamedTuple):
    """One mode: requests (C, 1), who may (C, P), decoding time against plain (P,), value (C, 1)."""

    name: str
    input_tokens: Floats
    cached_ratio: Floats
    kept_token_s: Floats
    decode_ratio: Floats
    value_ratio: Floats
    may: Mask


def classes_of(
    state: State, items: tuple[RequestClass, ...], rates: tuple[float, ...], budgets: dict[str, int]
) -> Classes:
    """Figures of the classes from their tallies; `budgets` = the budget's number by class."""
    tallies = [state.tallies[klass.name] for klass in items]
    cached = _column([tally.cached_ratio for tally in tallies])
    tokens = _column([tally.input_tokens for tally in tallies])
    # Little's law: what is kept warm now, over what comes in, is how long it is kept. It is shared
    # out by the reused tokens each class brings.
    warm = sum(min(e.session_tokens, e.kv_max) for e in state.view.endpoints)
    reused = float((_column(rates) * tokens * cached).sum())
    return Classes(
        items=items,
        input_tokens=tokens,
        output_tokens=_column([tally.output_tokens for tally in tallies]),
        cached_ratio=cached,
        kept_token_s=(warm / reused if reused > 0 else 0.0) * tokens * cached,
        value_usd=_column([klass.value_usd for klass in items]),
        budget_index=np.array([budgets.get(klass.name, -1) for klass in items], np.intp),
    )


def columns(
    state: State, classes: Classes, pools: list[PoolCapacity], open_: Mask, link_of: list[int]
) -> Columns:
    """Every way in which a class may be served. `open_` (P,) = whether there is or may be capacity;
    `link_of` = by site the number of its link, -1 without."""
    fleet = state.fleet
    numbers = {pool.name: number for number, pool in enumerate(fleet.pools)}
    own = [fleet.pools[numbers[pool.name]] for pool in pools]
    figures = _figures(state, own, pools)
    may = _may(state, classes, pools) & open_
    links = np.array([link_of[pool.site_index] for pool in pools], np.intp)
    full_clock = figures.clock == 1.0
    indices: dict[str, list[Ints]] = defaultdict(list)
    amounts: dict[str, list[Floats]] = defaultdict(list)
    for mode in _modes(state, classes, own, may & full_clock, may):
        flat = np.flatnonzero(mode.may)
        rows, places = np.divmod(flat, len(pools))
        for name, amount in _used(classes, figures, mode).items():
            amounts[name].append(amount.ravel().take(flat))
        indices["class_index"].append(rows)
        indices["pool_index"].append(places)
        indices["budget_index"].append(classes.budget_index[rows])
        indices["link_index"].append(links[places])
        indices["mode_index"].append(np.full(len(rows), MODES.index(mode.name), np.intp))
    columns: dict[str, Any] = {
        name: np.concatenate(parts) for name, parts in (*indices.items(), *amounts.items())
    }
    return pack(modes=MODES, **columns)


def _column(values: list[float] | tuple[float, ...]) -> Floats:
    return np.array(values, float).reshape(-1, 1)


def _figures(state: State, own: list[Pool], pools: list[PoolCapacity]) -> _Pools:
    sites = state.fleet.sites
    rows = [
        _row(pool, sites[one.site_index].rtt_s, one.clock)
        for pool, one in zip(own, pools, strict=True)
    ]
    return _Pools(*np.array(rows, float).reshape(-1, len(_Pools._fields)).T)


def _row(pool: Pool, rtt_s: float, clock: float) -> tuple[float, ...]:
    profile = pool.profile
    decode, mixed, limits, power = profile.decode, profile.mixed, profile.limits, profile.power
    return (
        decode.base_s,
        decode.per_seq_s,
        decode.per_kv_token_s,
        mixed.base_s,
        mixed.per_prefill_token_s + mixed.base_s / limits.step_tokens_max,
        float(limits.seqs_max),
        float(limits.kv_tokens_max),
        power.full_watts - power.idle_watts,
        power.half_batch,
        pool.usd_per_million_input_tokens / 1e6,
        pool.usd_per_million_output_tokens / 1e6,
        rtt_s,
        clock,
    )


def _may(state: State, classes: Classes, pools: list[PoolCapacity]) -> Mask:
    """Where policy lets a class be served (C, P)."""
    sites = state.fleet.sites
    places = sorted({site.jurisdiction for site in sites})
    number = {place: index for index, place in enumerate(places)}
    at = np.array([number[sites[pool.site_index].jurisdiction] for pool in pools], np.intp)
    allowed = np.ones((len(classes.items), len(places)), np.bool_)
    for row, klass in enumerate(classes.items):
        limits = residency(ANYONE, klass, "")
        if limits is not None:
            allowed[row] = [place in limits for place in places]
    return allowed[:, at]


def _modes(
    state: State, classes: Classes, own: list[Pool], may: Mask, at_any_clock: Mask
) -> list[_Mode]:
    """Those that apply anywhere: all of it, its context computed anew, its context cut by one step
    where that is shown to save, and tokens guessed ahead where acceptance is measured (the last
    three at full clock only, which keeps the problem small)."""
    plain, same = np.ones(len(own)), np.ones((len(classes.items), 1))
    whole = _Mode(
        FULL,
        classes.input_tokens,
        classes.cached_ratio,
        classes.kept_token_s,
        plain,
        same,
        at_any_clock,
    )
    found, nothing = [whole], np.zeros_like(classes.cached_ratio)
    anew = may & (classes.kept_token_s > 0)
    if anew.any():
        found.append(
            whole._replace(name=RECOMPUTE, cached_ratio=nothing, kept_token_s=nothing, may=anew)
        )
    ratio, worth = _cuts(state, classes)
    if (ratio < 1.0).any():
        cut = classes.input_tokens * ratio
        found.append(_Mode(CUT, cut, nothing, nothing, plain, worth, may & (ratio < 1.0)))
    guessed = np.array([_guessing(state, pool) for pool in own])
    if (guessed < 1.0).any():
        found.append(
            whole._replace(name=SPECULATE, decode_ratio=guessed, may=may & (guessed < 1.0))
        )
    return found


def _cuts(state: State, classes: Classes) -> tuple[Floats, Floats]:
    """By class, the share of the prompt left by the next step of its loop (1 = no cut is shown to
    save) and the share of value left after what it breaks."""
    ratios: list[float] = []
    worths: list[float] = []
    for klass in classes.items:
        loop = state.context_loops.get(klass.name)
        effect = loop.effect() if loop is not None else None
        if loop is None or effect is None or effect.gain_low < GAIN_MIN:
            ratios.append(1.0)
            worths.append(1.0)
            continue
        ratio = max(CONTEXT.limit_low, loop.ratio - STEP)
        ratios.append(ratio)
        worths.append(max(0.0, 1.0 - effect.breaks * (1.0 - ratio)))
    return _column(ratios), _column(worths)


def _guessing(state: State, pool: Pool) -> float:
    """Decoding time with tokens guessed ahead against plain, at a typical batch; 1 = unmeasured or
    no gain."""
    measured = state.meters.get((ACCEPTANCE, pool.name))
    if measured is None:
        return 1.0
    profile: Profile = pool.profile
    batch = min(TYPICAL_BATCH, float(profile.limits.seqs_max))
    share = min(1.0, max(0.0, measured[1]))
    guesses = best_guesses(profile, batch, 0.0, share, 8)
    plain = profile.decode_step_s(batch, 0.0)
    return min(1.0, step_seconds(profile, batch, 0.0, guesses) / accepted(share, guesses) / plain)


def _used(classes: Classes, pools: _Pools, mode: _Mode) -> dict[str, Floats]:
    """What one request of each class uses at each pool, each (C, P): `pricing.work`, all at once,
    at the largest batch that keeps the class's promise."""
    tpot = _column([klass.promise.tpot_s for klass in classes.items])
    ttft = _column([klass.promise.ttft_s for klass in classes.items])
    output = classes.output_tokens
    kv = mode.input_tokens + 0.5 * output
    base, per_seq = pools.base_s, pools.per_seq_s + pools.per_kv_token_s * kv
    most = np.minimum(pools.seqs_max, pools.kv_tokens_max / np.maximum(1.0, kv))
    batch = np.minimum(most, BATCH_MAX)
    ratio = mode.decode_ratio / pools.clock
    promised = (tpot / ratio - base) / np.maximum(1e-9, per_seq)
    batch = np.where(tpot > 0, np.minimum(batch, promised), batch)
    late = (tpot > 0) & (batch < 1.0)
    late |= (ttft > 0) & (pools.rtt_s + pools.mixed_base_s / pools.clock >= ttft)
    batch = np.maximum(1.0, batch)
    decode_s = output * (base / batch + per_seq) * mode.decode_ratio
    gpu_s = mode.input_tokens * (1.0 - mode.cached_ratio) * pools.prompt_token_s + decode_s
    watts = pools.dynamic_watts * batch / (batch + pools.half_batch) * pools.clock**2
    sent = mode.input_tokens * PROMPT_TOKEN_BYTES + output * ANSWER_TOKEN_BYTES
    return {
        "value_usd": classes.value_usd * mode.value_ratio * np.where(late, LATE_VALUE_RATIO, 1.0),
        "usd": mode.input_tokens * pools.input_usd + output * pools.output_usd,
        "gpu_s": gpu_s,
        "kv_token_s": kv * (output * (base + per_seq * batch)) * ratio + mode.kept_token_s,
        "joules": gpu_s * watts,
        "link_bytes": np.broadcast_to(sent, gpu_s.shape),
    }
