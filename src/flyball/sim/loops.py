"""Which shapes must a control loop have to be run in the simulated world?

A *core* answers events with commands, exactly as `Governor` does: a rival router is a core too, so
the same driver runs both. An *autoscaler* is asked once a period how many replicas a pool should
have; the world applies start-up delay, draining and limits.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from flyball.governor.commands import Command
from flyball.governor.events import Event
from flyball.units import Ratio, Seconds, Tokens


class Core(Protocol):
    """What decides about requests: the governor, or a rival in its place."""

    def handle(self, event: Event) -> list[Command]:
        """The commands that this event calls for."""
        ...


class ReplicaReading(Struct, frozen=True, kw_only=True):
    """One replica's metrics as last scraped."""

    endpoint: int
    waiting: int
    running: int
    kv_usage: Ratio
    sampled_at: Seconds


class PoolReading(Struct, frozen=True, kw_only=True):
    """What an autoscaler may see of one pool at its period, over the window since the last one.

    Rates are per second; latencies in seconds, 0 = no request finished in the window. `held` =
    requests that wait in the gateway.
    """

    at: Seconds
    pool: str
    ready: int
    starting: int
    draining: int
    replicas: Sequence[ReplicaReading]
    held: int
    request_rate: float
    prompt_tokens_mean: Tokens
    output_tokens_mean: Tokens
    ttft_s_mean: Seconds
    ttft_s_p99: Seconds
    itl_s_mean: Seconds
    busy_ratio: Ratio


class Autoscaler(Protocol):
    """Asked every `period_s`; the answer is a wish, bounded by the world to the pool's limits."""

    period_s: Seconds

    def desired(self, reading: PoolReading) -> int:
        """How many replicas (ready and starting together) the pool should have."""
        ...
