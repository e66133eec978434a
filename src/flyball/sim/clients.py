"""What do clients do when they are refused, cut off or kept waiting?

Two layers, the inner one first. All are OpenAI's SDK (openai-python 2, `_base_client.py`): two
retries of a connection error, a time-out or a status 408, 409, 429 or >= 500; `x-should-retry`
overrules that; the pause is `retry-after` if it lies in (0, 60] s, else 0.5 s doubling to 8 s less
up to 25 %. An answer that has begun is not tried again. Patience = how long a client waits for the
first byte (600 s there).

Round it stands the loop of an agent, if the call has one (`AgentClient`): when the SDK has given
up, it tries the whole call again, cut streams too, and heeds only the status.
"""

from collections.abc import Callable

from flyball.model.faults import Refusal
from flyball.sim.clientrules import ClientRules
from flyball.sim.clock import Chance, Clock
from flyball.sim.exchange import Call, End, Exchange
from flyball.sim.network import Network
from flyball.units import Seconds

RETRY_AFTER_S_MAX: Seconds = 60.0
_TRANSIENT = frozenset({408, 409, 429})


class Clients:
    """All clients. `send(call)` brings a try to a gateway and returns it; `closed(exchange)` tells
    that gateway that the client has gone; `ended(call)` takes what came of it."""

    def __init__(
        self,
        clock: Clock,
        network: Network,
        rules: ClientRules,
        chance: Chance,
        send: Callable[[Call], Exchange],
        closed: Callable[[Exchange], None],
        ended: Callable[[Call], None],
    ) -> None:
        self._clock = clock
        self._network = network
        self._rules = rules
        self._chance = chance
        self._send = send
        self._closed = closed
        self._ended = ended
        self.tries = 0
        self.sdk_retries = 0
        self.agent_retries = 0

    def attempt(self, call: Call) -> None:
        """Send it, or send it again."""
        call.tries += 1
        call.sdk_tries += 1
        self.tries += 1
        exchange = self._send(call)
        agent = call.agent
        patience_s = self._rules.patience(call.klass.name, agent.timeout_s if agent else 600.0)
        self._clock.timer(self._clock.now + patience_s, exchange, self._lose_patience)

    def served(self, exchange: Exchange, status: int) -> None:
        """The whole answer has left the gateway now."""
        call = exchange.call
        if call.current is not exchange:
            return
        call.endpoint = exchange.endpoint
        if status >= 400:
            self._end(call, "refused", f"status-{status}")
            return
        call.cached_tokens = exchange.cached_tokens
        call.kept_ratio = exchange.kept_ratio
        call.output_tokens = call.row.output_tokens
        self._end(call, "served", "")

    def first_byte(self, exchange: Exchange) -> None:
        """The first byte has left the gateway now."""
        if exchange.call.current is exchange:
            exchange.call.first_at = self._clock.now + self._network.to_client()

    def refused(self, exchange: Exchange, refusal: Refusal) -> None:
        """The gateway said no, before the answer began."""
        fault, call = refusal.fault, exchange.call
        if call.current is not exchange:
            return
        retry = fault.should_retry if refusal.should_retry is None else refusal.should_retry
        if not retry or self._sdk_is_done(call):
            end: End = "refused" if fault.status < 500 else "failed"
            self._give_up(call, end, refusal.code, fault.status)
            return
        self._retry(call, refusal.retry_after_s)

    def cut_off(self, exchange: Exchange, refusal: Refusal) -> None:
        """The answer broke off in its midst."""
        if exchange.call.current is exchange:
            self._give_up(exchange.call, "failed", refusal.code, 502)

    def _sdk_is_done(self, call: Call) -> bool:
        retries = call.agent.sdk_retries if call.agent else self._rules.retries
        return call.sdk_tries > retries

    def _lose_patience(self, exchange: Exchange) -> None:
        if exchange.first_byte:
            return
        call = exchange.call
        if call.current is not exchange:
            return
        call.current = None
        self._closed(exchange)
        if self._sdk_is_done(call):
            self._give_up(call, "gave-up", "client-timeout", 408)
        else:
            self._retry(call, 0.0)

    def _retry(self, call: Call, retry_after_s: Seconds) -> None:
        if 0.0 < retry_after_s <= RETRY_AFTER_S_MAX:
            pause_s = retry_after_s
        else:
            rules = self._rules
            pause_s = min(rules.backoff_s * 2.0 ** (call.sdk_tries - 1), rules.backoff_s_max)
            pause_s *= 1.0 - rules.jitter_ratio * self._chance.uniform()
        self.sdk_retries += 1
        self._again(call, pause_s)

    def _give_up(self, call: Call, end: End, code: str, status: int) -> None:
        """The SDK tells its caller of the failure; an agent's loop may try anew."""
        agent = call.agent
        if (
            agent is None
            or call.agent_tries >= agent.attempts_max
            or not (status in _TRANSIENT or status >= 500)
        ):
            self._end(call, end, code)
            return
        pause_s = agent.pause_s(call.agent_tries, self._chance.uniform())
        self.agent_retries += 1
        call.agent_tries += 1
        call.sdk_tries = 0
        call.first_at = 0.0
        call.current = None
        self._again(call, pause_s)

    def _again(self, call: Call, pause_s: Seconds) -> None:
        self._clock.at(self._clock.now + self._network.to_client() + pause_s, self.attempt, call)

    def _end(self, call: Call, end: End, code: str) -> None:
        call.end, call.code, call.is_over = end, code, True
        call.done_at = max(call.first_at, self._clock.now + self._network.to_client())
        self._ended(call)
