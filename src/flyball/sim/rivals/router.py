"""What does a rival router see of a request and of an endpoint, and what may it answer?"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flyball.governor.events import AttemptFailed, Served
from flyball.model.decision import Intent
from flyball.model.faults import Refusal
from flyball.model.fleet import Fleet, Pool
from flyball.model.request import RequestClass, RequestHead
from flyball.model.signals import EngineSample
from flyball.sim.rivals.constants import constants
from flyball.units import Ratio, Seconds, Tokens

NEVER = float("-inf")


class Setting(Struct, frozen=True, kw_only=True):
    """Where a rival runs. `chance` is all the randomness it may use.

    `block_tokens` = tokens that one entry of `RequestHead.prefix` stands for.
    """

    fleet: Fleet
    chance: np.random.Generator
    block_tokens: Tokens = 64


class EndpointView:
    """One endpoint as a gateway sees it: its own work there, exactly; the rest as last scraped.

    `prefill_tokens` = own prompts not yet answered by a first byte, without what was thought to be
    cached; `held_tokens` = tokens of all own prompts in flight; `failing_since` = when its scrapes
    began to fail, infinite while they succeed.
    """

    __slots__ = (
        "draining",
        "failing_since",
        "held_tokens",
        "in_flight",
        "index",
        "name",
        "pool",
        "prefill_tokens",
        "sample",
        "sampled_at",
    )

    def __init__(self, index: int, name: str, pool: Pool) -> None:
        self.index = index
        self.name = name
        self.pool = pool
        self.draining = False
        self.failing_since: Seconds = float("inf")
        self.in_flight = 0
        self.prefill_tokens = 0.0
        self.held_tokens = 0.0
        self.sample: EngineSample | None = None
        self.sampled_at: Seconds = NEVER

    @property
    def waiting(self) -> int:
        """Requests in the engine's queue at the last scrape; 0 = none, or not known."""
        return (self.sample.waiting or 0) if self.sample else 0

    @property
    def running(self) -> int:
        """Requests that ran in the engine at the last scrape; 0 = none, or not known."""
        return (self.sample.running or 0) if self.sample else 0

    @property
    def kv_usage(self) -> Ratio:
        """Share of the KV cache in use at the last scrape; 0 = none, or not known."""
        return (self.sample.kv_usage or 0.0) if self.sample else 0.0


class Ask:
    """One request in the gateway's hands. `cached_tokens` = what the router believes is cached
    where it sent it; `priority` higher = more important, as llm-d counts; `tried` = endpoints that
    failed it."""

    __slots__ = (
        "arrived_at",
        "attempt",
        "cached_tokens",
        "deadline_at",
        "draw",
        "eligible",
        "endpoint",
        "failed",
        "first_byte_at",
        "forwarded_at",
        "head",
        "intent",
        "klass",
        "output_tokens",
        "priority",
        "prompt_tokens",
        "request_id",
        "retrying",
        "tokens_offered",
        "tried",
    )

    def __init__(self, request_id: str, at: Seconds, head: RequestHead, draw: float) -> None:
        self.request_id = request_id
        self.arrived_at = at
        self.head = head
        self.draw = draw
        self.klass = RequestClass(name="")
        self.priority = 0
        self.prompt_tokens: Tokens = 1
        self.tokens_offered: Tokens = 1
        self.output_tokens: Tokens = 1
        self.cached_tokens: Tokens = 0
        self.eligible: tuple[int, ...] = ()
        self.deadline_at: Seconds = 0.0
        self.attempt = 0
        self.tried: tuple[int, ...] = ()
        self.endpoint: EndpointView | None = None
        self.forwarded_at: Seconds = 0.0
        self.first_byte_at: Seconds = 0.0
        self.retrying = False
        self.intent: Intent | None = None
        self.failed: AttemptFailed | None = None

    @property
    def prefix_blocks(self) -> int:
        """Whole blocks of the prompt that have a hash."""
        return len(self.head.prefix)


class Wait(Struct, frozen=True):
    """Keep the request; ask again when something has changed, and give up after `limit_s`."""

    limit_s: Seconds


Pick = EndpointView | Wait | Refusal


class Router:
    """A rival's rule. `pick` chooses among endpoints that may take the request; the rest tells it
    what became of the choice. Raises ValueError at a tuned constant that it does not have."""

    name = ""
    held_max = 0
    attempts_max = 1

    def __init__(self, setting: Setting, tuned: Mapping[str, float] | None = None) -> None:
        self.setting = setting
        self.tuned = dict(tuned or {})
        self.constants = constants(self.name, tuned)
        self.begin()

    def begin(self) -> None:
        """Forget everything learnt: the start, or a restart with another fleet."""

    def restart(self, fleet: Fleet) -> None:
        """A new configuration is in force; what was learnt of the old one is gone."""
        self.setting = replace(self.setting, fleet=fleet)
        self.begin()

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> Pick:
        """An endpoint out of `endpoints` (never empty), or wait, or a refusal."""
        raise NotImplementedError

    def band(self, ask: Ask) -> int:
        """The priority in which it waits: one for all, so first come, first served."""
        return 0

    def retry_s(self, at: Seconds, ask: Ask, event: AttemptFailed) -> Seconds | None:
        """How long to wait before the next attempt; None = let the failure go to the client."""
        return 0.0 if ask.attempt < self.attempts_max else None

    def forwarded(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """The request goes there."""

    def first_byte(self, at: Seconds, ask: Ask, endpoint: EndpointView) -> None:
        """The answer began."""

    def served(self, at: Seconds, ask: Ask, endpoint: EndpointView, event: Served) -> None:
        """The answer is whole."""

    def failed(self, at: Seconds, ask: Ask, endpoint: EndpointView, cause: str) -> None:
        """The attempt failed: a cause of `AttemptFailed`, "deadline" or "gone"."""

    def left(self, endpoint: EndpointView) -> None:
        """The endpoint is taken out: when it comes back it is another process."""

    def draw_one(self, tied: Sequence[EndpointView]) -> EndpointView:
        """One of several, evenly."""
        if len(tied) == 1:
            return tied[0]
        return tied[int(self.setting.chance.random() * len(tied))]

    def draw_best(self, endpoints: Sequence[EndpointView], scores: Sequence[float]) -> EndpointView:
        """The endpoint of the highest score; ties are drawn."""
        best = max(scores)
        return self.draw_one(
            [one for one, score in zip(endpoints, scores, strict=True) if score == best]
        )
