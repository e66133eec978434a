"""Who is compared, with which constants, and how widely may each be tuned?

A contestant is a core with the loops beside it. Rivals run by their published rules; the endpoint
pickers read metrics every 50 ms, as they do by default, and so does the governor here. The default
stack is what is found in the field: the endpoint picker at its defaults, a gateway that retries as
an SDK does, and a cost loop that cuts contexts when the cache or the bill is above a line.
"""

from typing import Any

from msgspec import Struct

from flyball.model.request import GATE_SHARE
from flyball.units import Ratio, Usd


class Contestant(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`tuned` = constants of a rival, `pricing` = of the governor, unlike their defaults; `retry`
    and `truncation` = loops in a rival's gateway, the latter under a budget. `hold_ratio` = for how
    long the governor may hold a call at the gate, in shares of its promised first token."""

    core: str
    tuned: dict[str, float] = {}
    pricing: dict[str, float] = {}
    retry: str = ""
    truncation: str = ""
    hold_ratio: Ratio = 0.0

    def section(self, budget_usd_per_hour: Usd) -> dict[str, Any]:
        """Its keys of a scenario file; the budget is for a loop that watches the bill."""
        return {
            "core": self.core,
            "tuned": self.tuned,
            "policy": {"pricing": self.pricing},
            "loops": {
                "retry": self.retry,
                "truncation": self.truncation,
                "budget_usd_per_hour": budget_usd_per_hour if self.truncation else 0.0,
            },
        }


DEFAULTS: dict[str, Contestant] = {
    name: Contestant(core=name)
    for name in ("least_request", "p2c_ewma", "dynamo_kv", "epp_default", "pool_split")
} | {
    "default_stack": Contestant(
        core="epp_default", retry="sdk_default", truncation="threshold_truncation"
    ),
    "governor": Contestant(core="governor", hold_ratio=GATE_SHARE),  # as the product does
}

# The governor with one of its parts taken away, and with nothing but what its rivals have too:
# where work is placed, by predicted lateness alone.
ABLATIONS: dict[str, Contestant] = {
    "all parts": DEFAULTS["governor"],
    "no externality": Contestant(
        core="governor", hold_ratio=GATE_SHARE, pricing={"externality_weight": 0.0}
    ),
    "no KV price": Contestant(
        core="governor", hold_ratio=GATE_SHARE, pricing={"kv_price_weight": 0.0}
    ),
    "no plan prices": Contestant(
        core="governor", hold_ratio=GATE_SHARE, pricing={"plan_price_weight": 0.0}
    ),
    "no holding": Contestant(core="governor"),
    "lateness alone": Contestant(
        core="governor",
        pricing={"externality_weight": 0.0, "kv_price_weight": 0.0, "plan_price_weight": 0.0},
    ),
}


class Range(Struct, frozen=True, kw_only=True):
    """What a constant may be: even between the ends, or even in its logarithm."""

    low: float
    high: float
    is_log: bool = True

    def at(self, share: float) -> float:
        """The value at a share in [0, 1] of the way, to three digits."""
        if self.is_log:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + (self.high - self.low) * share
        return float(f"{value:.3g}")


_EPP = {
    "queue_weight": Range(low=0.1, high=10.0),
    "kv_weight": Range(low=0.1, high=10.0),
    "prefix_weight": Range(low=0.1, high=10.0),
}
# Core -> its constants that the search may set. The rivals' side is the strongest routers
# together: the search draws one of them for each sample, so that "best tuned loops" is its best.
RIVAL_SPACES: dict[str, dict[str, Range]] = {
    "epp_default": _EPP,
    "pool_split": {
        **_EPP,
        "other_exponent": Range(low=0.0, high=3.0, is_log=False),
        "tight_exponent": Range(low=0.0, high=3.0, is_log=False),
    },
    "epp_flow": {
        **_EPP,
        "queue_threshold": Range(low=1.0, high=40.0),
        "kv_threshold": Range(low=0.5, high=1.0, is_log=False),
    },
    "epp_predicted": {
        "ttft_weight": Range(low=0.05, high=1.0, is_log=False),
        "tpot_weight": Range(low=0.05, high=1.0, is_log=False),
        "slo_buffer": Range(low=0.5, high=1.2, is_log=False),
        "affinity_threshold": Range(low=0.3, high=0.99, is_log=False),
        "ttft_penalty_s_max": Range(low=0.1, high=18.0),
    },
    "dynamo_kv": {
        "prefill_load_scale": Range(low=0.1, high=10.0),
        "device_credit": Range(low=0.2, high=2.0),
        "queue_threshold": Range(low=1.0, high=64.0),
    },
}
GOVERNOR_SPACES: dict[str, dict[str, Range]] = {
    "governor": {
        "externality_weight": Range(low=0.3, high=5.0),
        "kv_price_weight": Range(low=0.2, high=5.0),
        "plan_price_weight": Range(low=0.05, high=2.0),
        "early_refusal_ratio": Range(low=0.8, high=3.0),
        "ttft_width_s": Range(low=0.02, high=0.5),
        "tpot_width_s": Range(low=0.002, high=0.03),
        "near_equal_ratio": Range(low=0.002, high=0.2),
        "hold_ratio": Range(low=0.05, high=0.9),
    }
}
RETRIES = ("", "budgeted")
