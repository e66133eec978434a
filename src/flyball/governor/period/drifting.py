"""Is the fleet still as it was accepted, by the streams that its own outcomes feed?

A tick is a minute with outcomes: quiet minutes teach nothing. The streams learn anew after a start
and after a change of pools, as what was learnt is kept in memory alone.
"""

from flyball.diagnosis.drift.drift import of_alarm
from flyball.diagnosis.drift.streams import Bank, Watch, standard
from flyball.governor.state import State
from flyball.governor.watching import STEP, Means
from flyball.units import Seconds

MINUTE_S: Seconds = 60.0
MINUTES_PER_HOUR = 60
DEPTH_MAX = 4
Kind = tuple[int, str, int, bool, str]


def drift(state: State, at: Seconds) -> None:
    """Ends a minute of the streams when it is over. What an alarm told stands until the next one,
    or for twice as long as the detectors remember."""
    watching = state.watching
    pools = tuple(pool.name for pool in state.fleet.pools)
    watch = Watch(learning=round(state.policy.diagnosis.learning_h * MINUTES_PER_HOUR))
    if watching.bank is None or watching.bank_key != (pools, watch.learning):
        watching.bank, watching.bank_key = Bank(standard(pools), watch), (pools, watch.learning)
        watching.minute_ends, watching.drifts = at + MINUTE_S, ()
    if at < watching.minute_ends:
        return
    watching.minute_ends = max(watching.minute_ends + MINUTE_S, at)
    kinds, means = watching.kinds, watching.means
    watching.kinds, watching.means = {}, Means()
    if not kinds:
        return
    _feed(watching.bank, kinds, means, pools, watching.pools)
    alarm = watching.bank.tick()
    if alarm is not None:
        watching.drifts = tuple(of_alarm(alarm, standard(pools), at, watch.run_length))
        watching.drifts_end = at + 2.0 * watch.memory * MINUTE_S
    elif at >= watching.drifts_end:
        watching.drifts = ()


def _feed(
    bank: Bank,
    kinds: dict[Kind, int],
    means: Means,
    pools: tuple[str, ...],
    pool_of: tuple[str, ...],
) -> None:
    """A minute's outcomes, to the standard streams; `pool_of` = each endpoint's pool."""
    mixes: dict[str, dict[str, int]] = {}
    for (endpoint, outcome, attempts, is_cut, served_model), count in kinds.items():
        found = {
            "control/ending": outcome,
            "control/attempt": str(attempts) if attempts < DEPTH_MAX else "more",
        }
        if endpoint >= 0:
            found["control/kept"] = "cut" if is_cut else "whole"
            found["control/tier"] = "other" if served_model else "asked"
            found["control/pool"] = pool_of[endpoint] if endpoint < len(pool_of) else ""
        for name, part in found.items():
            mix = mixes.setdefault(name, {})
            mix[part] = mix.get(part, 0) + count
    for stream in standard(pools):
        mix = mixes.get(stream.name, {})
        if stream.is_mix and mix:
            counted = [float(mix.pop(part, 0)) for part in stream.parts]
            counted[-1] += sum(mix.values())
            bank.add(stream.name, counted, sum(counted))
    for name, steps, count in (
        ("inference/cached", means.cached, means.cached_count),
        ("model/length", means.length, means.length_count),
        ("inference/ttft", means.late, means.late_count),
    ):
        bank.add(name, [STEP * steps], float(count))
