"""Where does a fleet of independent loops tip over: truncation, retries, latency, demotion?

A cost loop in the gateway cuts contexts when the bill is above a line. A cut context finds nothing
of itself in a cache, so the same work costs more machine time *and more money* at list prices, and
some answers made from it are of no use, so that agents ask again. First tokens come later; clients
run out of patience and retry; the router moves work to slower hardware. Each loop acts rightly on
what it sees. The trouble is a budget for tokens set to half for two minutes; before and after it
the work, the hardware and the budget are the same. A spike two minutes later tells what margin is
left.

The governed fleet may cut agents' contexts too, by its own loop with the sign guard on.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from flyball.governor.events import AttemptFailed, Served
from flyball.model.faults import Refusal
from flyball.model.fleet import Fleet
from flyball.sim.experiments.contestants import Contestant
from flyball.sim.experiments.fleets import FLEETS
from flyball.sim.experiments.mixes import BUDGET_RATIO, CLASSES, PATIENCE_S
from flyball.sim.rivals.constants import constants
from flyball.sim.rivals.router import NEVER, Ask, EndpointView, Pick, Router
from flyball.sim.run import Result
from flyball.sim.scenario import Scenario
from flyball.units import Ratio, Seconds, Usd

DURATION_S: Seconds = 600.0
WARMUP_S: Seconds = 60.0
STRIKES_AT_S: Seconds = 180.0
LASTS_S: Seconds = 120.0
SLICE_S: Seconds = 30.0
FLEET = "mixed"
SLOW_POOLS = ("a100", "l40s")
CHAT_PER_S = 10.0
# Coding sessions begun per second, and under way at the begin.
CODERS = (0.2, 160)
CONTEXT_RATIO: Ratio = 0.2
INPUT_TOKENS_MAX = 32_000
PAUSE_S_MAX: Seconds = 20.0
# At a load of 1, measured on seeds 101 and 102, which judge nothing.
CALM_USD_PER_HOUR: Usd = 730.0
# Nobody watches the bill while all caches are still cold.
UNWATCHED: dict[str, Any] = {"kind": "budget-cut", "factor": 10.0, "at_s": 0.0, "for_s": 120.0}
_BUDGET: dict[str, Any] = {
    "kind": "budget-cut",
    "factor": 0.5,
    "at_s": STRIKES_AT_S,
    "for_s": LASTS_S,
}
_SPIKE: dict[str, Any] = {"kind": "spike", "factor": 1.6, "at_s": 420.0, "for_s": 60.0}
CASES: dict[str, tuple[dict[str, Any], ...]] = {
    "calm": (),
    "budget": (_BUDGET,),
    "spike": (_SPIKE,),
    "budget, then spike": (_BUDGET, _SPIKE),
}


class Demoting(Router):
    """A router whose endpoints cool down when their first tokens come late: the work goes on to the
    others, on whatever hardware.

    LiteLLM's rule and constants for failures (`sim/rivals/litellm_latency.py`), with a first token
    after its promise for a failure: more than half of at least two in the current minute. When all
    cool down, it refuses.
    """

    name = "litellm_latency"

    def __init__(self, inner: Router) -> None:
        self.inner = inner
        super().__init__(inner.setting)
        self.name, self.attempts_max = inner.name, inner.attempts_max
        self.held_max = inner.held_max

    def begin(self) -> None:
        """Nobody was late."""
        self.constants = constants("litellm_latency")
        self._cooling: dict[int, Seconds] = {}
        self._minute = -1
        self._lates: dict[int, list[bool]] = defaultdict(list)

    def restart(self, fleet: Fleet) -> None:
        """Both begin anew."""
        super().restart(fleet)
        self.inner.restart(fleet)

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> Pick:
        """The inner router's pick among those that do not cool down."""
        warm = [one for one in endpoints if at >= self._cooling.get(one.index, NEVER)]
        if not warm:
            detail = "every endpoint is cooling down"
            after_s = self.constants["cooldown_s"]
            return Refusal(code="no_endpoint", detail=detail, retry_after_s=after_s)
        return self.inner.pick(at, ask, warm)

    def first_byte(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """Count it as late or not."""
        self.inner.first_byte(at, ask, endpoint)
        minute = int(at // self.constants["window_s"])
        if minute != self._minute:
            self._minute = minute
            self._lates.clear()
        lates = self._lates[endpoint.index]
        lates.append(at - ask.forwarded_at > ask.klass.promise.ttft_s)
        if len(lates) > 1 and sum(lates) > self.constants["failure_ratio_max"] * len(lates):
            self._cooling[endpoint.index] = at + self.constants["cooldown_s"]

    def band(self, ask: Ask) -> int:
        """The inner router's."""
        return self.inner.band(ask)

    def retry_s(self, at: Seconds, ask: Ask, event: AttemptFailed) -> Seconds | None:
        """The inner router's."""
        return self.inner.retry_s(at, ask, event)

    def forwarded(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """The inner router is told."""
        self.inner.forwarded(at, ask, endpoint)

    def served(self, at: Seconds, ask: Ask, endpoint: EndpointView, event: Served) -> None:
        """The inner router is told."""
        self.inner.served(at, ask, endpoint, event)

    def failed(self, at: Seconds, ask: Ask, endpoint: EndpointView, cause: str) -> None:
        """The inner router is told."""
        self.inner.failed(at, ask, endpoint, cause)

    def left(self, endpoint: EndpointView) -> None:
        """The inner router is told."""
        self.inner.left(endpoint)


class Slice(Struct, frozen=True, kw_only=True):
    """What each loop did to the calls sent in one span of time, and how they fared.

    `cut` = calls whose context was cut; `retries` = tries beyond the first, per call, all layers of
    clients; `repeats` = calls that ask a broken step again; `reused` = share of the prompts found
    in a cache; `slow` = share of the served that ran on slower hardware; TTFT in s.
    """

    at_s: Seconds
    calls: int
    cut: Ratio
    reused: Ratio
    repeats: Ratio
    retries: float
    ttft_p99_s: Seconds
    slow: Ratio
    in_time: Ratio


def scenario(
    one: Contestant, load: float, seed: int, budget_usd_per_hour: Usd, case: str
) -> Scenario:
    """The run, for sessions played from recordings; `case` = a name in `CASES`."""
    fleet = FLEETS[FLEET]
    classes = {
        name: {
            **CLASSES[name],
            "queue_ms_max": one.hold_ratio * CLASSES[name]["ttft_ms"],
            "context": {"allow_truncation": name == "coder", "tokens_min": 1024},
        }
        for name in ("chat", "coder")
    }
    coder = {
        "agent": "claude-code",
        "rate": CODERS[0],
        "standing": CODERS[1],
        "context_ratio": CONTEXT_RATIO,
        "input_tokens_max": INPUT_TOKENS_MAX,
        "pause_s_max": PAUSE_S_MAX,
    }
    shape: dict[str, Any] = {
        "version": "v1",
        "seed": seed,
        "duration_s": DURATION_S,
        "warmup_s": WARMUP_S,
        "drain_s": 60.0,
        "checks": False,
        "fleet": {"sites": fleet.sites, "pools": fleet.pools, "classes": classes},
        "workload": {
            "load": load,
            "generate": {"rate": CHAT_PER_S, "mix": {"chat": 1.0}},
            "programs": {"coder": coder},
        },
        "clients": {"rtt_ms": 10.0, "patience_s": PATIENCE_S},
        "telemetry": {"interval_ms": 50.0},
        "triggers": [UNWATCHED, *CASES[case]],
        **one.section(budget_usd_per_hour),
    }
    return msgspec.convert(shape, Scenario)


def budget_usd_per_hour(load: float) -> Usd:
    """One and a half times what the tokens cost on a fleet whose caches are warm."""
    return BUDGET_RATIO * CALM_USD_PER_HOUR * load


def time_line(result: Result, pools: tuple[str, ...]) -> list[Slice]:
    """Slice by slice, by when a call was first sent. `pools[e]` = the pool of endpoint e."""
    columns = result.columns
    slow = np.array([pool in SLOW_POOLS for pool in pools])
    found: list[Slice] = []
    for begin in np.arange(0.0, DURATION_S, SLICE_S).tolist():
        sent = columns["sent_at_s"]
        mine = (sent >= begin) & (sent < begin + SLICE_S)
        found.append(_slice(begin, {name: column[mine] for name, column in columns.items()}, slow))
    return found


def _slice(begin: Seconds, mine: dict[str, np.ndarray], slow: np.ndarray) -> Slice:
    calls = len(mine["number"])
    served = mine["end"] == 0
    kept = mine["input_tokens"][served] * mine["kept_ratio"][served]
    first = mine["ttft_s"][served]
    where = mine["endpoint"][served]
    return Slice(
        at_s=begin,
        calls=calls,
        cut=_mean(mine["kept_ratio"][served] < 1.0),
        reused=float(mine["cached_tokens"][served].sum() / kept.sum()) if len(kept) else 0.0,
        repeats=_mean(mine["repeat"] > 0),
        retries=_mean(mine["tries"] - 1),
        ttft_p99_s=float(np.percentile(first, 99)) if len(first) else 0.0,
        slow=_mean(slow[where]),
        in_time=_mean(mine["in_time"]),
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def good_share(result: Result, begin: Seconds, end: Seconds) -> Ratio:
    """Of all calls first sent in that span, those served within every promise."""
    sent, good = result.columns["sent_at_s"], result.columns["in_time"]
    return _mean(good[(sent >= begin) & (sent < end)])
