"""How many replicas does each pool have, and when do those that an autoscaler wants arrive?

The autoscaler (a rival's, or the governor by `Set`) wishes; the world bounds it, lets a new replica
start up (a log-normal delay with the scenario's median and p99), and lets one that must go finish
its work first. Gateways learn of both as an operator's drain: `EndpointDraining`.
"""

from collections.abc import Sequence
from math import exp, log

import numpy as np
from msgspec import Struct

from flyball.governor.events import EndpointDraining
from flyball.sim.clock import Chance, Clock
from flyball.sim.driver import Driver
from flyball.sim.exchange import Call
from flyball.sim.loops import Autoscaler, PoolReading, ReplicaReading
from flyball.sim.replica import Replica
from flyball.sim.scraper import Scraper
from flyball.units import Seconds

_Z99 = 2.3263


class Window(Struct):
    """What finished at one pool since the autoscaler last looked."""

    prompt_tokens: list[int] = []
    output_tokens: list[int] = []
    ttft_s: list[Seconds] = []
    itl_s: list[Seconds] = []


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


class Scaling:
    """One pool, its autoscaler (None = it is moved from outside) and its bounds."""

    def __init__(
        self,
        clock: Clock,
        driver: Driver,
        scraper: Scraper,
        chance: Chance,
        autoscaler: Autoscaler | None,
        replicas: Sequence[Replica],
        bounds: tuple[int, int],
        start_s: tuple[Seconds, Seconds],
        gateways: Sequence[int],
    ) -> None:
        self._clock = clock
        self._driver = driver
        self._scraper = scraper
        self._chance = chance
        self._autoscaler = autoscaler
        self._replicas = replicas
        self._bounds = bounds
        self._median_s = start_s[0]
        self._sigma = max(0.0, log(start_s[1] / start_s[0]) / _Z99)
        self._gateways = gateways
        self._window = Window()
        self._busy_s = 0.0
        self.starts = 0
        self.drains = 0

    def begin(self, running: int) -> None:
        """All replicas beyond the first `running` are off; then the autoscaler looks, for ever."""
        autoscaler = self._autoscaler
        for replica in self._replicas[running:]:
            replica.turn_off()
            self._announce(replica, draining=True)
        if autoscaler is not None:
            period_s = autoscaler.period_s
            self._clock.every(period_s, lambda: self.turn(autoscaler), period_s)

    def ended(self, call: Call) -> None:
        """A call was served by this pool."""
        if self._autoscaler is None:
            return
        window = self._window
        window.prompt_tokens.append(call.row.input_tokens)
        window.output_tokens.append(call.output_tokens)
        window.ttft_s.append(call.ttft_s)
        if call.output_tokens > 1:
            window.itl_s.append(call.tpot_s)

    def turn(self, autoscaler: Autoscaler) -> None:
        """Show the reading, take the wish, move toward it."""
        self.move(autoscaler.desired(self._reading(autoscaler.period_s)))

    def move(self, wanted: int, targets: Sequence[str] = ()) -> int:
        """Start or drain until so many are alive, within the bounds; how many there are then.

        Of `targets` the first go first; else the emptiest, as Kubernetes prefers, of equals the
        newest.
        """
        low, high = self._bounds
        wanted = min(high, max(low, wanted))
        alive = [r for r in self._replicas if r.life in ("ready", "starting", "lost")]
        started = [r for r in self._replicas if r.life == "off"][: max(0, wanted - len(alive))]
        for replica in started:
            self._start(replica)
        order = {name: place for place, name in enumerate(targets)}
        last = len(order)
        spare = sorted(
            (r for r in alive if r.life == "ready"),
            key=lambda r: (order.get(r.name, last), len(r.jobs), -r.index),
        )
        gone = spare[: max(0, len(alive) - wanted)]
        for replica in gone:
            self.drains += 1
            self._announce(replica, draining=True)
            replica.drain()
        return len(alive) + len(started) - len(gone)

    def _start(self, replica: Replica) -> None:
        self.starts += 1
        delay_s = self._median_s * exp(self._sigma * self._chance.rng.standard_normal())
        replica.start(delay_s, lambda ready: self._announce(ready, draining=False))

    def _announce(self, replica: Replica, draining: bool) -> None:
        for gateway in self._gateways:
            at = self._driver.time(gateway)
            self._driver.feed(gateway, EndpointDraining(at, replica.index, draining))

    def _reading(self, period_s: Seconds) -> PoolReading:
        window, self._window = self._window, Window()
        lives = [replica.life for replica in self._replicas]
        for replica in self._replicas:
            replica.settle()
        busy_s, ready = sum(r.busy_s for r in self._replicas), lives.count("ready")
        busy_ratio = (busy_s - self._busy_s) / (period_s * ready) if ready else 0.0
        self._busy_s = busy_s
        return PoolReading(
            at=self._clock.now,
            pool=self._replicas[0].pool.name,
            ready=ready,
            starting=lives.count("starting"),
            draining=lives.count("draining"),
            replicas=self._replica_readings(),
            held=self._driver.held,
            request_rate=len(window.ttft_s) / period_s,
            prompt_tokens_mean=round(_mean(window.prompt_tokens)),
            output_tokens_mean=round(_mean(window.output_tokens)),
            ttft_s_mean=_mean(window.ttft_s),
            ttft_s_p99=float(np.percentile(window.ttft_s, 99)) if window.ttft_s else 0.0,
            itl_s_mean=_mean(window.itl_s),
            busy_ratio=min(1.0, busy_ratio),
        )

    def _replica_readings(self) -> list[ReplicaReading]:
        readings: list[ReplicaReading] = []
        for replica in self._replicas:
            seen = self._scraper.latest.get(replica.index)
            if seen is None or replica.life != "ready":
                continue
            at, state = seen
            readings.append(
                ReplicaReading(
                    endpoint=replica.index,
                    waiting=state.waiting,
                    running=state.running,
                    kv_usage=state.kv_usage,
                    sampled_at=at,
                )
            )
        return readings
