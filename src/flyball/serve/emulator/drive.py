"""When does each token become due on the wall clock? (The event loop moves the plant along.)"""

import asyncio
from typing import Protocol

from flyball.model.plant import Job, PlantState, Progress
from flyball.units import Seconds, Tokens


class Plant(Protocol):
    """What the emulator needs of an engine's timing; it is told the time and never asks for it."""

    def submit(self, at: Seconds, job: Job) -> bool:
        """Bring a job; False = the queue is full."""
        ...

    def cancel(self, job_id: str) -> bool:
        """Take a job out."""
        ...

    def next_at(self) -> Seconds | None:
        """When something next happens to a job."""
        ...

    def next_token_at(self) -> Seconds | None:
        """When the next step ends."""
        ...

    def advance(self, to: Seconds, *, tokens: bool = False) -> list[Progress]:
        """Move on, and tell what happened."""
        ...

    def snapshot(self) -> PlantState:
        """The engine's own gauges and counters."""
        ...


class Ticket:
    """One job on its way: its times in engine seconds, the tokens it has, whether it is done."""

    __slots__ = (
        "_news",
        "admitted_at",
        "arrived_at",
        "cached",
        "done",
        "finished_at",
        "first_at",
        "job",
        "made",
        "streaming",
    )  # fmt: skip

    def __init__(self, job: Job, arrived_at: Seconds, streaming: bool) -> None:
        self.job = job
        self.arrived_at = arrived_at
        self.streaming = streaming
        self.admitted_at = self.first_at = self.finished_at = arrived_at
        self.cached: Tokens = 0
        self.made: Tokens = 0
        self.done = False
        self._news: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Until more tokens are made than when last asked, or the job is done."""
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    def wake(self) -> None:
        """There is news for whoever waits."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class Drive:
    """Couples a plant to the running event loop; engine time runs `time_scale` times as fast."""

    def __init__(self, plant: Plant, time_scale: float) -> None:
        self.plant = plant
        self.time_scale = time_scale
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        self._tickets: dict[str, Ticket] = {}
        self._streams = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due: Seconds = 0.0

    def now(self) -> Seconds:
        """Engine time."""
        return (self._loop.time() - self._started_at) * self.time_scale

    def submit(self, job: Job, streaming: bool) -> Ticket | None:
        """Start a job now; None = the engine's queue is full. ValueError if it can never fit."""
        at = self._catch_up()
        if not self.plant.submit(at, job):
            return None
        ticket = Ticket(job, at, streaming)
        self._tickets[job.id] = ticket
        self._streams += streaming
        # Armed once this turn of the event loop is over: jobs of one instant share a step.
        if self._timer is not None:
            self._timer.cancel()
        self._due = 0.0
        self._timer = self._loop.call_later(0.0, self._rearm)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """The client is gone, or has its whole answer."""
        if self._tickets.pop(ticket.job.id, None) is not None:
            self._streams -= ticket.streaming
            if not ticket.done:
                self._catch_up()
                self.plant.cancel(ticket.job.id)
                self._rearm()

    def state(self) -> PlantState:
        """The plant's gauges and counters at this moment."""
        self._catch_up()
        return self.plant.snapshot()

    def _catch_up(self) -> Seconds:
        now = self.now()
        for news in self.plant.advance(now, tokens=self._streams > 0):
            ticket = self._tickets.get(news.job)
            if ticket is None:
                continue
            if news.kind == "tokens":
                ticket.made += news.tokens
                if ticket.streaming:
                    ticket.wake()
            elif news.kind == "finished":
                ticket.made = news.tokens
                ticket.finished_at = news.at
                ticket.done = True
                ticket.wake()
            elif news.kind == "first-token":
                ticket.first_at = news.at
            elif news.kind == "admitted":
                ticket.admitted_at = news.at
                ticket.cached = news.tokens
        return now

    def _tick(self) -> None:
        self._timer = None
        self._catch_up()
        self._rearm()

    def _rearm(self) -> None:
        """Sleep until the next token (streams) or the next event of a job."""
        plant = self.plant
        due = plant.next_token_at() if self._streams else plant.next_at()
        if self._timer is not None:
            if due == self._due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._due = due
            delay = (due - self.now()) / self.time_scale
            # uvloop rounds to whole milliseconds: a short wait rounded to nothing would spin.
            self._timer = self._loop.call_later(max(delay, 0.0005), self._tick)
