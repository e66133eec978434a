"""Is the fleet still as it was accepted, by the streams that its own outcomes feed?

A tick is a minute with demand: quiet minutes teach nothing. The streams learn anew after a start
and after a change of pools, as what was learnt is kept in memory alone.
"""

from flyball.diagnosis.drift import of_alarm
from flyball.diagnosis.streams import Bank, Watch, standard
from flyball.governor.period.price import RATE_PER_S_MIN
from flyball.governor.state import State
from flyball.units import Seconds

MINUTE_S: Seconds = 60.0
MINUTES_PER_HOUR = 60


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
    if all(tally.rate_per_s < RATE_PER_S_MIN for tally in state.tallies.values()):
        return
    alarm = watching.bank.tick()
    if alarm is not None:
        watching.drifts = tuple(of_alarm(alarm, standard(pools), at, watch.run_length))
        watching.drifts_end = at + 2.0 * watch.memory * MINUTE_S
    elif at >= watching.drifts_end:
        watching.drifts = ()
