"""What do the engines say of themselves right now?

One timer serves the due times of all endpoints. Each endpoint has at most one scrape under way, and
its next is due one interval after the last began, so a slow engine is asked less often and delays
no other. When the loop itself is late, all intervals stretch (up to tenfold): metrics yield to
requests. What cannot be read is told as such (`Sampled(sample=None, error)`), never as a number.
"""

import asyncio
import heapq
import random
import ssl
from collections.abc import Callable, Mapping

from msgspec import Struct

from flyball.governor.events import Sampled
from flyball.model.fleet import Endpoint, Fleet
from flyball.model.signals import EngineSample
from flyball.serve.engines.pagereader import PageError, PageReader
from flyball.units import Seconds

ReadMetrics = Callable[[str, bytes], EngineSample]
LATE_S: Seconds = 0.005
# Due times are rounded up to this: a loop's timers count in milliseconds.
TURN_S: Seconds = 0.002
STRETCH_MAX = 10.0
_NOTHING = EngineSample()


class ScrapeLimits(Struct, frozen=True, kw_only=True):
    """How often, how long, how many at once. `jitter` = share of the interval drawn at random."""

    interval_s: Seconds = 0.1
    timeout_s: Seconds = 1.0
    concurrency_max: int = 32
    jitter: float = 0.2


class Target(Struct, frozen=True):
    """One endpoint to ask: its number in the fleet, its engine's kind, URL, secret and CA."""

    number: int
    kind: str
    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | None = None


def targets(
    fleet: Fleet, credentials: Mapping[str, str], tls: Mapping[str, ssl.SSLContext]
) -> tuple[Target, ...]:
    """The endpoints that have a metrics URL; by endpoint name: bearer tokens and own CAs."""
    kinds = {pool.name: pool.engine for pool in fleet.pools}

    def headers(endpoint: Endpoint) -> dict[str, str]:
        secret = credentials.get(endpoint.name, "")
        return {"Authorization": f"Bearer {secret}"} if secret else {}

    return tuple(
        Target(
            number,
            kinds[endpoint.pool],
            endpoint.metrics_url,
            headers(endpoint),
            tls.get(endpoint.name),
        )
        for number, endpoint in enumerate(fleet.endpoints)
        if endpoint.metrics_url
    )


class Scraper:
    """Feeds `on_sampled` from all targets until `stop`; call everything on the loop."""

    def __init__(
        self,
        read_metrics: ReadMetrics,
        on_sampled: Callable[[Sampled], None],
        now: Callable[[], Seconds],
        limits: ScrapeLimits,
    ) -> None:
        self._read_metrics = read_metrics
        self._on_sampled = on_sampled
        self._now = now
        self._limits = limits
        self._due: list[tuple[float, int, Target]] = []
        self._epoch = 0
        self._readers: dict[int, PageReader] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = 0.0
        self._is_running = False
        self.stretch = 1.0

    def replace(self, wanted: tuple[Target, ...], limits: ScrapeLimits | None = None) -> None:
        """Ask these from now on; answers of scrapes begun before are thrown away."""
        self._limits = limits or self._limits
        self._epoch += 1
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        start = asyncio.get_running_loop().time()
        self._due = [
            (start + random.random() * self._limits.interval_s, target.number, target)
            for target in wanted
        ]
        heapq.heapify(self._due)
        self._cancel_timer()
        self._plan()

    def start(self) -> None:
        """Begin; `replace` gives the targets, before or after."""
        self._is_running = True
        self._plan()

    async def stop(self) -> None:
        """End all scrapes."""
        self._is_running = False
        self._cancel_timer()
        tasks = list(self._busy)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for reader in self._readers.values():
            reader.close()

    def _plan(self) -> None:
        """Wake up when the next is due, unless a wake-up before that is planned already."""
        if not self._is_running or not self._due:
            return
        if len(self._busy) >= self._limits.concurrency_max:
            return
        loop = asyncio.get_running_loop()
        due_at = max(self._due[0][0], loop.time() + TURN_S)
        if self._timer is not None:
            if self._wake_at <= due_at:
                return
            self._timer.cancel()
        self._wake_at = due_at
        self._timer = loop.call_at(due_at, self._turn)

    def _turn(self) -> None:
        """Start all that is due by now, or within the next turn."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        self._note_lateness(now - self._wake_at)
        while self._due and self._due[0][0] <= now + TURN_S:
            if len(self._busy) >= self._limits.concurrency_max:
                return
            _, _, target = heapq.heappop(self._due)
            task = asyncio.create_task(self._scrape(target, self._epoch))
            self._busy.add(task)
            task.add_done_callback(self._finished)
        self._plan()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._plan()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _note_lateness(self, late_s: Seconds) -> None:
        wanted = 1.0 + max(0.0, late_s - LATE_S / 5) / LATE_S
        self.stretch = min(STRETCH_MAX, 0.8 * self.stretch + 0.2 * wanted)

    async def _scrape(self, target: Target, epoch: int) -> None:
        if epoch != self._epoch:
            return  # else it would put its reader where the new target of that number looks
        clock = asyncio.get_running_loop().time
        begun = clock()
        sample, error = await self._read(target)
        if epoch != self._epoch:
            return
        limits = self._limits
        interval_s = limits.interval_s * self.stretch
        interval_s *= 1.0 + limits.jitter * (random.random() - 0.5)
        heapq.heappush(self._due, (max(begun + interval_s, clock()), target.number, target))
        self._on_sampled(Sampled(self._now(), target.number, sample, error))

    async def _read(self, target: Target) -> tuple[EngineSample | None, str]:
        """A sample, or None and a sentence that says what was wrong with the answer."""
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                page = await self._reader(target).get()
        except TimeoutError:
            return None, f"{target.url}: no answer within {self._limits.timeout_s:g} s"
        except (PageError, OSError, ValueError) as fault:
            return None, f"{target.url}: {fault or type(fault).__name__}"
        try:
            sample = self._read_metrics(target.kind, page)
        except Exception as fault:  # a page no one foresaw is the engine's fault, not a crash here
            return None, f"{target.url}: cannot be read: {fault}"
        if sample == _NOTHING:
            return None, f"{target.url}: has none of the metrics of a {target.kind} engine"
        return sample, ""

    def _reader(self, target: Target) -> PageReader:
        """The kept connection to that target."""
        found = self._readers.get(target.number)
        if found is None:
            found = PageReader(target.url, target.headers, target.tls)
            self._readers[target.number] = found
        return found
