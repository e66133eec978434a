"""What was measured of an engine, when, and how far may it be believed?"""

from typing import Literal

from msgspec import Struct

from flyball.units import Ratio, Seconds, Tokens

Quality = Literal["fresh", "stale", "absent"]


class EngineSample(Struct, frozen=True, kw_only=True):
    """One reading of an engine's own metrics; None = the engine does not tell that figure."""

    waiting: int | None = None
    running: int | None = None
    kv_usage: Ratio | None = None
    kv_tokens_max: Tokens | None = None
    block_tokens: Tokens | None = None
    prefix_hits: float | None = None
    prefix_queries: float | None = None
    preemptions: float | None = None


class PeerLoad(Struct, frozen=True, kw_only=True):
    """Work that the other gateway workers have in flight at one endpoint, and hold room for."""

    endpoint: int
    running: int
    pending: int
    pending_prefill_tokens: float
    kv_tokens: float
    reserved: int = 0
    reserved_prefill_tokens: float = 0.0
    reserved_kv_tokens: float = 0.0


class Settled(Struct, frozen=True, kw_only=True, gc=False):
    """What one finished request tells the estimators (workers send it to the control process).

    `tokens_cut` = prompt tokens not granted; `copy` = what became of its second copy, "won" or
    "lost", "" = it had none; `served_model` = who answered in place of `model`, "" = that one.
    """

    at: float
    class_name: str
    model: str
    endpoint: int
    outcome: str
    is_retry: bool
    prompt_bytes: int
    input_tokens: Tokens
    cached_tokens: Tokens
    output_tokens: Tokens
    ttft_s: Seconds
    e2e_s: Seconds
    ttft_s_predicted: Seconds
    tpot_s_predicted: Seconds
    in_time: bool
    code: str = ""
    attempts: int = 1
    held_s: Seconds = 0.0
    value_usd: float = 0.0
    cost_usd: float = 0.0
    jurisdiction: str = ""
    tokens_cut: Tokens = 0
    copy: str = ""
    served_model: str = ""
    session_step: int = 0
    is_spared: bool = False
    guaranteed: bool = False
    penalty_usd: float = 0.0
    status: int = 0
