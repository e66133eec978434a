"""Are guarantees conserved, bounded, and never given twice on the same room, whatever happens?"""

from collections import Counter
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.governor.commands import Command, Forward, QuoteClosed, Quoted
from flyball.governor.events import Event, QuoteAsked, RequestArrived, Tick
from flyball.governor.marginal import ROWS
from flyball.governor.policy import Pricing, Promises
from flyball.governor.request.guard import margins, quantile
from flyball.model.quote import Quote
from support import fleets
from support.world import World

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)
TTFT, TPOT = ROWS.index("ttft_base"), ROWS.index("tpot_base")
# A request that joins slows every step a little beyond what the guard priced it at.
TOLERANCE = 1.05


class Market(World):
    """A world whose clients also ask for quotes, and use them, right or wrong."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.quotes: dict[str, Quote] = {}
        self.closed: Counter[str] = Counter()
        self.refused = 0

    def next_event(self) -> Event:
        kind = self.chance.random()
        if kind < 0.15:
            return self.question()
        if kind < 0.3 and self.quotes:
            return self.use()
        return super().next_event()

    def question(self) -> QuoteAsked:
        self.number += 1
        head = fleets.head(
            class_hint=self.chance.choice(["", "chat", "eu-chat", "batch", "nonsense"]),
            output_tokens_max=self.chance.choice([1, 50, 400]),
            deadline_s=self.chance.choice([0.0, 0.1, 3.0, 30.0]),
        )
        tokens = self.chance.choice([10, 400, 4_000])
        return QuoteAsked(self.at, f"q{self.number}", head, tokens)

    def use(self) -> RequestArrived:
        self.number += 1
        quote = self.quotes[self.chance.choice(sorted(self.quotes))]
        head = fleets.head(
            quote=quote.id,
            prompt_bytes=quote.input_tokens * 3,
            output_tokens_max=self.chance.choice([quote.output_tokens, 4_000]),
            body_digest=self.number + 1_000,
        )
        request_id = f"u{self.number}"
        self.heads[request_id] = head
        return RequestArrived(at=self.at, request_id=request_id, head=head, draw=0.5)

    def check(self, command: Command) -> None:
        super().check(command)
        if isinstance(command, Quoted):
            assert (command.quote is None) == (command.refusal is not None)
            if command.quote:
                self.quotes[command.quote.id] = command.quote
                self.still_kept(self.core.state.view.index_of[command.quote.endpoint])
            else:
                self.refused += 1
        elif isinstance(command, QuoteClosed):
            self.closed[command.quote_id] += 1
        elif isinstance(command, Forward):
            flight = self.core.state.flights.get(command.request_id)
            if flight is not None and flight.guarantee is None:
                self.still_kept(command.endpoint)
        self.conserved()

    def still_kept(self, index: int) -> None:
        """If all that is promised at this endpoint came now, it would be in time."""
        state = self.core.state
        limit = state.promises.limits.get(index)
        if limit is None:
            return
        rows = state.view.fresh_rows(self.at)
        endpoint = state.view.endpoints[index]
        first, later = margins(endpoint, limit.z, endpoint.depth - 1)
        for tokens, deadline_s in limit.whole:
            whole_s = rows[TTFT, index] * first + rows[TPOT, index] * later * (tokens - 1)
            assert whole_s <= deadline_s * TOLERANCE, (index, tokens, deadline_s, whole_s)

    def conserved(self) -> None:
        state = self.core.state
        for endpoint in state.view.endpoints:
            held = [g for g in state.promises.open.values() if g.endpoint is endpoint]
            assert endpoint.reserved == len(held)
            assert abs(endpoint.reserved_prefill - sum(g.prefill for g in held)) < 1e-6
            assert abs(endpoint.reserved_kv - sum(g.kv for g in held)) < 1e-6
            limit = state.promises.limits.get(endpoint.index)
            promised = state.promises.count_at(endpoint.index)
            assert (limit is not None) == bool(promised)
            if limit is not None and not held:
                assert not limit.whole
        assert len(state.promises.open) <= state.policy.promises.quotes_max
        assert sum(state.promises.by_principal.values()) == len(state.promises.open)


def market(seed: int, **changes: object) -> Market:
    print(f"seed {seed}")
    # Its engines answer at random: nothing would be quoted if that were called a broken model.
    changes.setdefault("pricing", Pricing(mispredict_ratio_max=50.0))
    few = Promises(quotes_max=24, quotes_per_principal_max=24, quote_s=4.0)
    return Market(seed, fleets.fleet(), fleets.policy(promises=few, **changes))


@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_room_is_conserved_and_never_promised_twice(seed: int) -> None:
    market(seed).play(300).drain()


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_each_quote_closes_once_and_leaves_nothing(seed: int) -> None:
    played = market(seed).play(300).drain()
    played.at += 60.0
    played.feed(Tick(at=played.at))
    assert played.closed == Counter(list(played.quotes))
    state = played.core.state
    assert not state.promises.open and not state.promises.kept and not state.promises.limits
    assert all(e.reserved == 0 and e.reserved_kv == 0.0 for e in state.view.endpoints)


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_every_guarantee_used_is_settled_once_kept_or_broken(seed: int) -> None:
    played = market(seed).play(300).drain()
    final = [o for o in played.outcomes if o.quote and o.outcome != "retried"]
    assert len({o.quote for o in final}) == len(final)
    for outcome in final:
        quote = played.quotes[outcome.quote]
        is_kept = outcome.outcome == "served" and outcome.e2e_s <= quote.deadline_s
        if outcome.outcome != "client-gone":
            assert outcome.penalty_usd == (0.0 if is_kept else quote.penalty_usd)
        assert outcome.promised_s == quote.deadline_s


def test_the_market_does_all_of_it() -> None:
    """The properties above say nothing if no quote is ever made, used, refused or broken."""
    played = market(7).play(3_000).drain()
    used = [o for o in played.outcomes if o.quote]
    assert len(played.quotes) > 50 and played.refused > 20 and len(used) > 20
    assert any(o.penalty_usd for o in used) and any(not o.penalty_usd for o in used)
    assert any(o.code == "capacity_promised" for o in played.outcomes)


@pytest.mark.parametrize(
    ("risk", "z"), [(0.5, 0.0), (0.1, 1.28155), (0.01, 2.32635), (0.001, 3.09023), (1e-6, 4.75342)]
)
def test_the_quantile_is_the_normal_one(risk: float, z: float) -> None:
    assert abs(quantile(risk) - z) < 5e-4
    assert quantile(0.0) < inf
