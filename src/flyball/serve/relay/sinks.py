"""Where do commands go that are not about one request's bytes, and how are engines entered?"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flyball.governor.commands import (
    Advise,
    Diagnosed,
    KeepBudget,
    LendBudget,
    Notice,
    Set,
    TellBudget,
)
from flyball.model import decision
from flyball.model.prices import PriceBoard
from flyball.model.signals import Settled
from flyball.pricing.problem import Problem
from flyball.serve.relay.wire import Access


@dataclass(frozen=True, kw_only=True)
class Sinks:
    """Where the commands go that are not about a request's bytes; none of these may wait."""

    record: Callable[[decision.Record], None]
    solve: Callable[[Problem], None]
    publish: Callable[[PriceBoard], None]
    report: Callable[[tuple[Settled, ...]], None]
    notice: Callable[[Notice], None]
    set: Callable[[Set], None] = lambda command: None
    advise: Callable[[Advise], None] = lambda advice: None
    diagnosed: Callable[[Diagnosed], None] = lambda seen: None
    tell_budget: Callable[[TellBudget], None] = lambda told: None
    keep_budget: Callable[[KeepBudget], None] = lambda kept: None
    lend_budget: Callable[[LendBudget], None] = lambda lent: None
    # Called with what is to be done once all records given so far are durable.
    when_durable: Callable[[Callable[[], None]], None] = lambda act: act()


@dataclass(frozen=True, kw_only=True)
class Entrances:
    """How endpoints are entered, by name; one not named has no key and trusts the system's CAs."""

    access: Mapping[str, Access]
    tls: Mapping[str, ssl.SSLContext]


OPEN = Entrances(access={}, tls={})
