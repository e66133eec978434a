"""What does a gateway do that routes by a rival's rule? (A core in the governor's place.)

It keeps what every such gateway keeps: requests in flight, its own work at each endpoint, the last
scrape. What it does with them is its router's. Model, surface and residency filter the endpoints
first, as a rival's operator would do it by routes; keys and allowances are left out.
"""

from collections.abc import Callable
from typing import Any

from flyball.governor import events
from flyball.governor.commands import Abort, Command, Forward, Hold, Record, Reject
from flyball.governor.flight import ANYONE
from flyball.governor.policy import Policy
from flyball.governor.scope import SURFACE_OF, residency
from flyball.model.decision import Allowance, OutcomeKind
from flyball.model.faults import Refusal
from flyball.model.fleet import Fleet
from flyball.sim.rivals import records
from flyball.sim.rivals.queue import Queue
from flyball.sim.rivals.retry import Retry
from flyball.sim.rivals.router import NEVER, Ask, EndpointView, Router, Wait
from flyball.sim.rivals.threshold_truncation import ThresholdTruncation
from flyball.units import Ratio, Seconds

NO_DECODE = frozenset({"embedding", "infer"})
# Kubernetes' readiness probe by default: every 10 s, out after 3 failures, in after one success.
UNREADY_AFTER_S: Seconds = 30.0


class RivalCore:
    """Answers events with commands as `Governor` does (`sim.loops.Core`).

    An endpoint whose scrapes have failed for `UNREADY_AFTER_S` is left out, as the platform under
    every rival would do it; if all have, none is. `retry` takes the place of the router's own rule
    for failed attempts; `truncation` cuts prompts before they are placed. `spend_ratio` (spent
    share of the budget) is set by `sim/spend.py`.
    """

    def __init__(
        self,
        fleet: Fleet,
        policy: Policy,
        router: Router,
        *,
        bytes_per_token: float = 4.0,
        retry: Retry | None = None,
        truncation: ThresholdTruncation | None = None,
    ) -> None:
        self.policy = policy
        self.router = router
        self.bytes_per_token = bytes_per_token
        self.retry = retry
        self.truncation = truncation
        self.spend_ratio: Ratio = 0.0
        self.asks: dict[str, Ask] = {}
        self.held = Queue()
        self.paused: dict[str, Ask] = {}
        self.draining = False
        self._views: dict[str, EndpointView] = {}
        self._unwell: set[str] = set()  # draining, or their readings fail
        self._patience_s: Seconds = 0.0
        self._take_fleet(fleet)
        self._table: dict[type, Callable[[Any, list[Command]], None]] = {
            events.RequestArrived: self._arrived,
            events.FirstByte: self._first_byte,
            events.Served: self._served,
            events.AttemptFailed: self._attempt_failed,
            events.ClientGone: self._client_gone,
            events.DeadlinePassed: self._deadline_passed,
            events.Sampled: self._sampled,
            events.FleetChanged: self._fleet_changed,
            events.EndpointDraining: self._endpoint_draining,
            events.DrainBegun: self._drain_begun,
            events.Tick: self._tick,
        }

    def handle(self, event: events.Event) -> list[Command]:
        """The commands that this event calls for; events that no rival knows call for none."""
        out: list[Command] = []
        known = self._table.get(type(event))
        if known:
            known(event, out)
        return out

    @property
    def endpoints(self) -> list[EndpointView]:
        """The endpoints in the order of the fleet."""
        return self._endpoints

    # What a request goes through.

    def _arrived(self, event: events.RequestArrived, out: list[Command]) -> None:
        ask = Ask(event.request_id, event.at, event.head, event.draw)
        self.asks[event.request_id] = ask
        refusal = self._admit(ask)
        if refusal:
            self._refuse(event.at, ask, refusal, out)
            return
        self._queue(event.at, ask, out)

    def _admit(self, ask: Ask) -> Refusal | None:
        head, limits = ask.head, self.policy.resilience
        if self.draining:
            return Refusal(code="draining", retry_after_s=1.0)
        if len(self.asks) > limits.in_flight_max:
            detail = f"{limits.in_flight_max} requests in flight"
            return Refusal(code="overloaded", detail=detail, retry_after_s=1.0)
        name = head.class_hint or self.policy.classes[0].name
        klass = self._classes.get(name)
        if klass is None:
            return Refusal(code="unknown_class", detail=repr(name))
        ask.klass = klass
        ask.priority = -1 if klass.sheddable else 0
        limit_s = min(head.deadline_s, klass.deadline_s) if head.deadline_s else klass.deadline_s
        ask.deadline_at = ask.arrived_at + limit_s
        self._size(ask)
        if head.model not in self._models:
            return Refusal(code="model_not_found", detail=repr(head.model))
        ask.eligible = self._eligible(ask)
        if not ask.eligible:
            detail = f"no endpoint may serve {head.model!r} to {klass.name!r}"
            return Refusal(code="no_endpoint", detail=detail, retry_after_s=5.0)
        return None

    def _size(self, ask: Ask) -> None:
        head = ask.head
        ask.tokens_offered = int(head.prompt_bytes / self.bytes_per_token) + 1
        ask.prompt_tokens = ask.tokens_offered
        if self.truncation:
            known = [one.kv_usage for one in self._endpoints if one.sample]
            usage = sum(known) / len(known) if known else 0.0
            ask.prompt_tokens = self.truncation.kept(ask.tokens_offered, usage, self.spend_ratio)
        expected = 1 if head.operation in NO_DECODE else ask.klass.output_tokens_mean
        asked = head.output_tokens_max
        ask.output_tokens = max(1, min(expected, asked) if asked else expected)

    def _eligible(self, ask: Ask) -> tuple[int, ...]:
        head = ask.head
        key = (ask.klass.name, head.model, head.operation, head.jurisdiction_hint)
        found = self._scopes.get(key)
        if found is None:
            if len(self._scopes) >= 1024:  # hints are the client's, so the table is bounded
                self._scopes.clear()
            allowed = residency(ANYONE, ask.klass, head.jurisdiction_hint)
            surface = SURFACE_OF[head.operation]
            found = self._scopes[key] = tuple(
                one.index
                for one in self._endpoints
                if head.model in one.pool.models
                and surface in one.pool.surfaces
                and (allowed is None or self._jurisdiction[one.pool.site] in allowed)
            )
        return found

    def _queue(self, at: Seconds, ask: Ask, out: list[Command]) -> None:
        """Place it now, or behind those that wait already."""
        self.held.push(ask, self.router.band(ask))
        self._release(at, out)
        if ask.request_id not in self.held:
            return
        most = self.router.held_max or self.policy.resilience.held_max
        if len(self.held) > most:
            refusal = Refusal(code="queue_full", detail=f"{most} requests", retry_after_s=1.0)
            self._refuse(at, ask, refusal, out)
            return
        out.append(Hold(ask.request_id, min(at + self._patience_s, ask.deadline_at)))

    def _release(self, at: Seconds, out: list[Command]) -> None:
        """Place the held requests in their order, up to the first that must wait on."""
        while (ask := self.held.first()) is not None:
            pick = self._pick(at, ask)
            if isinstance(pick, Wait):
                self._patience_s = pick.limit_s
                return
            self.held.remove(ask.request_id)
            if isinstance(pick, Refusal):
                self._refuse(at, ask, pick, out)
            else:
                self._forward(at, ask, pick, out)

    def _pick(self, at: Seconds, ask: Ask) -> EndpointView | Wait | Refusal:
        if not self._unwell and not ask.tried and len(ask.eligible) == len(self._endpoints):
            return self.router.pick(at, ask, self._endpoints)
        open_now = [self._endpoints[i] for i in ask.eligible if not self._endpoints[i].draining]
        ready = [one for one in open_now if at - one.failing_since < UNREADY_AFTER_S] or open_now
        fresh = [one for one in ready if one.index not in ask.tried]
        if not open_now:
            detail = "every endpoint is being drained"
            return Refusal(code="no_endpoint", detail=detail, retry_after_s=1.0)
        return self.router.pick(at, ask, fresh or ready)

    def _forward(self, at: Seconds, ask: Ask, endpoint: EndpointView, out: list[Command]) -> None:
        if ask.failed is not None:
            self._close_attempt(ask, out)
        ask.attempt += 1
        ask.endpoint = endpoint
        ask.forwarded_at, ask.first_byte_at = at, 0.0
        ask.cached_tokens = 0
        self.router.forwarded(at, ask, endpoint)
        endpoint.in_flight += 1
        endpoint.prefill_tokens += ask.prompt_tokens - ask.cached_tokens
        endpoint.held_tokens += ask.prompt_tokens
        ask.intent = records.intent(at, ask, endpoint, len(ask.eligible))
        out.append(Record(ask.intent))
        allowance = Allowance(
            tokens_offered=ask.tokens_offered,
            tokens_kept=ask.prompt_tokens,
            output_tokens_max=ask.head.output_tokens_max,
            attempts_max=self.router.attempts_max,
            deadline_at=ask.deadline_at,
        )
        name = self.router.name
        out.append(
            Forward(
                ask.request_id,
                ask.attempt,
                endpoint.index,
                (),
                allowance,
                0.0,
                0,
                name,
                ask.klass.name,
            )
        )

    def _first_byte(self, event: events.FirstByte, out: list[Command]) -> None:
        ask = self.asks.get(event.request_id)
        if ask is None or ask.endpoint is None or ask.first_byte_at:
            return
        ask.endpoint.prefill_tokens -= ask.prompt_tokens - ask.cached_tokens
        ask.first_byte_at = event.at
        self.router.first_byte(event.at, ask, ask.endpoint)

    # How it ends.

    def _leave(self, ask: Ask) -> EndpointView | None:
        """Take the attempt's work off its endpoint."""
        endpoint, ask.endpoint = ask.endpoint, None
        if endpoint is not None:
            endpoint.in_flight -= 1
            endpoint.held_tokens -= ask.prompt_tokens
            if not ask.first_byte_at:
                endpoint.prefill_tokens -= ask.prompt_tokens - ask.cached_tokens
        return endpoint

    def _served(self, event: events.Served, out: list[Command]) -> None:
        ask = self.asks.get(event.request_id)
        if ask is None or ask.endpoint is None:
            return
        if not ask.first_byte_at:
            self._first_byte(events.FirstByte(event.at, event.request_id), out)
        endpoint = self._leave(ask)
        assert endpoint is not None
        if event.status < 500:
            self.router.served(event.at, ask, endpoint, event)
        else:
            self.router.failed(event.at, ask, endpoint, "status")
        kind: OutcomeKind = "served" if event.status < 500 else "failed"
        self._close(event.at, ask, kind, out, endpoint, served=event)
        self._release(event.at, out)

    def _attempt_failed(self, event: events.AttemptFailed, out: list[Command]) -> None:
        ask = self.asks.get(event.request_id)
        if ask is None:
            return
        endpoint = self._leave(ask)
        if endpoint is None:
            return
        self.router.failed(event.at, ask, endpoint, event.cause)
        refusal = _failure(event)
        if event.started:
            out.append(Abort(ask.request_id, refusal))
            self._close(event.at, ask, "truncated-stream", out, endpoint, refusal=refusal)
            self._release(event.at, out)
            return
        wait_s = self._retry_s(event, ask)
        if wait_s is None or event.at + wait_s >= ask.deadline_at:
            out.append(Reject(ask.request_id, refusal))
            self._close(event.at, ask, "failed", out, endpoint, refusal=refusal)
            self._release(event.at, out)
            return
        ask.tried = (*ask.tried, endpoint.index)
        ask.failed = event
        ask.first_byte_at = 0.0
        if wait_s > 0.0:
            self.paused[ask.request_id] = ask
            out.append(Hold(ask.request_id, event.at + wait_s))
            self._release(event.at, out)
            return
        self._queue(event.at, ask, out)

    def _retry_s(self, event: events.AttemptFailed, ask: Ask) -> Seconds | None:
        if self.retry is None:
            return self.router.retry_s(event.at, ask, event)
        self._end_retry(ask)
        wait_s = self.retry.wait_s(
            ask.attempt, event.status or 503, event.retry_after_s, ask.draw, len(self.asks)
        )
        ask.retrying = wait_s is not None
        return wait_s

    def _end_retry(self, ask: Ask) -> None:
        if self.retry is not None and ask.retrying:
            self.retry.ended()
            ask.retrying = False

    def _close_attempt(self, ask: Ask, out: list[Command]) -> None:
        """The failed attempt gets its outcome now that another one follows."""
        event, ask.failed = ask.failed, None
        assert event is not None
        endpoint = self._views.get(ask.intent.endpoint) if ask.intent else None
        outcome = records.outcome(event.at, ask, "retried", endpoint, refusal=_failure(event))
        out.append(Record(outcome))

    def _client_gone(self, event: events.ClientGone, out: list[Command]) -> None:
        ask = self.asks.get(event.request_id)
        if ask is None:
            return
        endpoint = self._leave(ask)
        if endpoint is not None:
            self.router.failed(event.at, ask, endpoint, "gone")
        out.append(Abort(ask.request_id, None))
        self._close(event.at, ask, "client-gone", out, endpoint)
        self._release(event.at, out)

    def _deadline_passed(self, event: events.DeadlinePassed, out: list[Command]) -> None:
        """Out of time: the request's own, the queue's, or only the pause before another try."""
        ask = self.asks.get(event.request_id)
        if ask is None:
            return
        if self.paused.pop(ask.request_id, None) and event.at < ask.deadline_at:
            self._queue(event.at, ask, out)
            return
        waited = f"{event.at - ask.arrived_at:.3f}"
        refusal = Refusal(code="deadline_exceeded", detail=waited, retry_after_s=1.0)
        if ask.request_id in self.held and event.at < ask.deadline_at:
            detail = f"waited {waited} s in the queue"
            refusal = Refusal(code="no_endpoint", detail=detail, retry_after_s=1.0)
        endpoint = self._leave(ask)
        if endpoint is None:
            out.append(Reject(ask.request_id, refusal))
        else:
            self.router.failed(event.at, ask, endpoint, "deadline")
            out.append(Abort(ask.request_id, refusal))
        self._close(event.at, ask, "deadline", out, endpoint, refusal=refusal)
        self._release(event.at, out)

    def _refuse(self, at: Seconds, ask: Ask, refusal: Refusal, out: list[Command]) -> None:
        out.append(Reject(ask.request_id, refusal))
        kind: OutcomeKind = "failed" if ask.attempt else "refused"
        self._close(at, ask, kind, out, None, refusal=refusal)

    def _close(
        self,
        at: Seconds,
        ask: Ask,
        kind: OutcomeKind,
        out: list[Command],
        endpoint: EndpointView | None,
        served: events.Served | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        self.asks.pop(ask.request_id, None)
        self.held.remove(ask.request_id)
        self.paused.pop(ask.request_id, None)
        self._end_retry(ask)
        out.append(Record(records.outcome(at, ask, kind, endpoint, served, refusal)))

    # What comes in between.

    def _sampled(self, event: events.Sampled, out: list[Command]) -> None:
        """A failed scrape leaves the last sample standing: it only grows older."""
        endpoint = self._endpoints[event.endpoint]
        if event.sample is None:
            endpoint.failing_since = min(endpoint.failing_since, event.at)
            self._unwell.add(endpoint.name)
        else:
            if self._unwell:
                endpoint.failing_since = float("inf")
                self._note_health(endpoint)
            endpoint.sample = event.sample
            endpoint.sampled_at = event.at
        self._release(event.at, out)

    def _tick(self, event: events.Tick, out: list[Command]) -> None:
        self._release(event.at, out)

    def _endpoint_draining(self, event: events.EndpointDraining, out: list[Command]) -> None:
        endpoint = self._endpoints[event.endpoint]
        if event.draining and not endpoint.draining:
            self.router.left(endpoint)
            endpoint.sample, endpoint.sampled_at = None, NEVER
            endpoint.failing_since = float("inf")
        endpoint.draining = event.draining
        self._note_health(endpoint)
        self._release(event.at, out)

    def _note_health(self, endpoint: EndpointView) -> None:
        if endpoint.draining or endpoint.failing_since < float("inf"):
            self._unwell.add(endpoint.name)
        else:
            self._unwell.discard(endpoint.name)

    def _drain_begun(self, event: events.DrainBegun, out: list[Command]) -> None:
        self.draining = True

    def _fleet_changed(self, event: events.FleetChanged, out: list[Command]) -> None:
        """Work in flight stays where it is; endpoints keep their counts by name."""
        self.policy = event.policy
        self._take_fleet(event.fleet)
        self.router.restart(event.fleet)
        for ask in self.asks.values():
            ask.tried = ()
            ask.eligible = self._eligible(ask)
        self._release(event.at, out)

    def _take_fleet(self, fleet: Fleet) -> None:
        pools = {pool.name: pool for pool in fleet.pools}
        before, self._views = self._views, {}
        for index, one in enumerate(fleet.endpoints):
            view = before.get(one.name) or EndpointView(index, one.name, pools[one.pool])
            view.index, view.pool = index, pools[one.pool]
            self._views[one.name] = view
        self._endpoints = list(self._views.values())
        self._classes = {klass.name: klass for klass in self.policy.classes}
        self._models = {model for pool in fleet.pools for model in pool.models}
        self._jurisdiction = {site.name: site.jurisdiction for site in fleet.sites}
        self._scopes: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._patience_s = self.policy.resilience.circuit_open_s_max


def _failure(event: events.AttemptFailed) -> Refusal:
    """The fault that the client is told, as the governor tells it."""
    after_s = event.retry_after_s or 1.0
    if event.cause == "status" and event.status == 429:
        detail = "the engine has too much to do (429)"
        return Refusal(code="no_endpoint", detail=detail, retry_after_s=after_s)
    code = "upstream_garbage" if event.cause == "garbage" else "upstream_failed"
    return Refusal(code=code, detail=event.detail or event.cause, retry_after_s=after_s)
