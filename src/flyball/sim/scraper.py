"""When is each engine's metrics page read, and when does the reading arrive?

All engines are read in turn at one interval, each at its own moment of it, so the readings know
their order: they stay out of the clock's heap (`Round`), and so do those under way.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf

from flyball.governor.events import Sampled
from flyball.model.plant import PlantState
from flyball.model.signals import EngineSample
from flyball.sim.clock import Chance, Clock, Round
from flyball.sim.driver import Driver
from flyball.sim.network import Network
from flyball.sim.replica import Replica
from flyball.units import Ratio, Seconds


class Scraper(Round):
    """Reads each engine's metrics in its turn; a reading arrives late, or not at all.

    `latest[e]` = (time of the reading, its state) as autoscalers see it.
    """

    def __init__(
        self,
        clock: Clock,
        driver: Driver,
        network: Network,
        replicas: Sequence[Replica],
        chance: Chance,
        gateways: Sequence[int],
        delay_s: Seconds,
        loss_ratio: Ratio,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._driver = driver
        self._network = network
        self._replicas = list(replicas)
        self._chance = chance
        self._gateways = list(gateways)
        self._delay_s = delay_s
        self._loss_ratio = loss_ratio
        self.latest: dict[int, tuple[Seconds, PlantState]] = {}
        self.silent: set[int] = set()
        self._samples: dict[int, EngineSample] = {}
        # Replicas in the order of their moments; each one's next reading has its place in `orders`.
        self._turns: list[Replica] = []
        self._moments: list[Seconds] = []
        self._orders: list[int] = []
        self._interval_s: Seconds = inf
        self._turn = 0
        self._rounds = 0
        self._read_at: Seconds = inf
        self._read_order = 0
        self._under_way: list[tuple[Seconds, int, int, EngineSample | None]] = []

    def start(self, interval_s: Seconds) -> None:
        """Read each endpoint once per interval, spread evenly over it."""
        step_s = interval_s / len(self._replicas)
        self._interval_s = interval_s
        for replica in self._replicas:
            if replica.has_metrics:
                self._turns.append(replica)
                self._moments.append((replica.index + 1) * step_s)
                self._orders.append(self._clock.place())
        if self._turns:
            self._read_at, self._read_order = self._moments[0], self._orders[0]
            self._look_ahead()
            self._clock.beside = self

    def go(self) -> None:
        """Read, and tell what was read, until something else comes first."""
        clock = self._clock
        while clock.is_first(self.next_at, self.next_order):
            clock.now = self.next_at
            clock.events += 1
            if self.next_order == self._read_order:
                self._read_next()
            else:
                _, _, index, sample = heappop(self._under_way)
                self._tell(index, sample)
            self._look_ahead()

    def _look_ahead(self) -> None:
        """The next reading, or the next to arrive: whichever comes first."""
        self.next_at, self.next_order = self._read_at, self._read_order
        if self._under_way:
            at, order, _, _ = self._under_way[0]
            if at < self.next_at or (at == self.next_at and order < self.next_order):
                self.next_at, self.next_order = at, order

    def _read_next(self) -> None:
        turn = self._turn
        following = turn + 1
        self._orders[turn] = self._clock.place()
        if following == len(self._turns):
            following = 0
            self._rounds += 1
        self._turn = following
        self._read_at = self._moments[following] + self._rounds * self._interval_s
        self._read_order = self._orders[following]
        replica = self._turns[turn]
        if replica.life != "off" and replica.life != "starting":
            self._read(replica)

    def _read(self, replica: Replica) -> None:
        index, now = replica.index, self._clock.now
        lost = self._loss_ratio > 0.0 and self._chance.uniform() < self._loss_ratio
        at = now + 2.0 * self._network.to_endpoint(index) + self._delay_s
        sample = None
        if not (
            lost
            or (self.silent and index in self.silent)
            or self._network.is_cut(index)
            or not replica.is_reachable
        ):
            state = replica.read()
            last = self.latest.get(index)
            self.latest[index] = (now, state)
            if last is None or last[1] is not state:
                self._samples[index] = _sample(replica, state)
            sample = self._samples[index]
        heappush(self._under_way, (at, self._clock.place(), index, sample))

    def _tell(self, index: int, sample: EngineSample | None) -> None:
        error = "" if sample else "no answer"
        driver = self._driver
        for gateway in self._gateways:
            driver.feed(gateway, Sampled(driver.time(gateway), index, sample, error))


def _sample(replica: Replica, state: PlantState) -> EngineSample:
    """What a scrape of vLLM's metrics would tell of that state."""
    block_tokens = replica.pool.profile.limits.block_tokens
    return EngineSample(
        waiting=state.waiting,
        running=state.running,
        kv_usage=state.kv_usage,
        kv_tokens_max=state.kv_blocks_max * block_tokens,
        block_tokens=block_tokens,
        prefix_hits=float(state.prefix_hit_tokens),
        prefix_queries=float(state.prefix_query_tokens),
        preemptions=float(state.preemptions),
    )
