"""Which requests would come from clients of whom only statistics are known?

Each client is a renewal process in its own operational time, the integral of its rate: gaps have
mean 1 there and the shape that its window tells, Gamma or Weibull, so that their coefficient of
variation is the published one whatever share of the load is taken. (To drop requests at random
would turn every client into a Poisson process: thinning by p leaves 1 + p (CV^2 - 1) of the index
of dispersion; Cox, *Renewal Theory*, 1962.) Each process begins in equilibrium (ibid., ch. 5): the
first gap is a uniform part of a length-biased one, so the load is right from the first second.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import xxhash

from flyball.dialects.traces.row import TraceRow
from flyball.dialects.traces.servegen import QUANTILES, WINDOW_S, Client, Lengths, Window
from flyball.units import Ratio, Seconds

# Above it a window is one burst within the resolution of its own clock (in the published two weeks
# 5 % of the load, up to CV 797): gaps of such a shape would silence a client for weeks.
CV_MAX = 10.0
_PROBABILITIES = np.array([0.0, *QUANTILES.values()])


def rows(clients: Sequence[Client], share: Ratio, seed: int) -> Iterator[TraceRow]:
    """A share of the load of `clients`, in time order from 0 s; the same seed, the same rows.

    `model` and `class_name` of a row are the client's model. Clients without lengths take those of
    the client of their model whose load is nearest. Holds one window's requests at a time. Raises
    ValueError for a share that is not in (0, 1] and for no clients.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share of the load is {share}: it must be above 0 and at most 1")
    if not clients:
        raise ValueError("no clients")
    sources = [_Source(one, _lengths(one, clients), share, seed) for one in clients]
    ends_s = max(one.windows[-1].begin_s for one in clients) + WINDOW_S
    due: dict[Seconds, list[_Source]] = {}
    for source in sources:
        for window in source.client.windows:
            due.setdefault(window.begin_s, []).append(source)
    for begin_s in sorted(due):
        if begin_s < ends_s:
            yield from _window_rows(due[begin_s])


def load(client: Client) -> float:
    """Requests of it in all its windows."""
    return sum(one.rate for one in client.windows) * WINDOW_S


def _lengths(client: Client, clients: Sequence[Client]) -> tuple[Lengths, ...]:
    if client.lengths:
        return client.lengths
    mine = load(client)
    told = [one for one in clients if one.model == client.model and one.lengths]
    return min(told, key=lambda one: (abs(load(one) - mine), one.number)).lengths


class _Source:
    """One client while its requests are made, window after window."""

    def __init__(
        self, client: Client, lengths: tuple[Lengths, ...], share: Ratio, seed: int
    ) -> None:
        key = xxhash.xxh32_intdigest(client.model.encode())
        sequence = np.random.SeedSequence(seed, spawn_key=(key, client.number))
        self.client = client
        self._rng = np.random.default_rng(sequence)
        self._share = share
        self._next = 0
        self._begins = [one.begin_s for one in lengths]
        self._lengths = lengths
        self._due = float(first_gap(self._rng, client.windows[0]))

    def window(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times (s), input tokens and output tokens of its next window's requests."""
        window = self.client.windows[self._next]
        self._next += 1
        mass = window.rate * WINDOW_S * self._share
        places = self._places(window, mass)
        at = window.begin_s + WINDOW_S / mass * places
        table = self._lengths[max(0, bisect_right(self._begins, window.begin_s) - 1)]
        given = _drawn(self._rng, table.input_tokens, len(at))
        return at, given, _drawn(self._rng, table.output_tokens, len(at))

    def _places(self, window: Window, mass: float) -> np.ndarray:
        """Where requests fall in (0, mass] of operational time; what is left is due later."""
        parts: list[np.ndarray] = []
        at = self._due
        while at <= mass:
            count = int(mass - at) + 8
            ends = at + np.concatenate(([0.0], np.cumsum(gaps(self._rng, window, count))))
            stop = int(np.searchsorted(ends, mass, side="right"))
            stop = min(stop, count)  # the last end begins the next part
            parts.append(ends[:stop])
            at = float(ends[stop])
        self._due = at - mass
        return np.concatenate(parts) if parts else np.empty(0)


def gaps(rng: np.random.Generator, window: Window, count: int) -> np.ndarray:
    """`count` gaps of mean 1 with the window's shape."""
    if window.pattern == "Weibull" and window.cv <= CV_MAX:
        return rng.weibull(window.shape, count) / math.gamma(1.0 + 1.0 / window.shape)
    shape = min(window.cv, CV_MAX) ** -2.0
    return rng.gamma(shape, 1.0 / shape, count)


def first_gap(rng: np.random.Generator, window: Window) -> float:
    """What is left of the gap that is under way at a random moment.

    A length-biased Gamma(k) is Gamma(k + 1) of the same scale; a length-biased Weibull(k) is the
    (1/k)-th power of Gamma(1 + 1/k).
    """
    if window.pattern == "Weibull" and window.cv <= CV_MAX:
        power = 1.0 / window.shape
        biased = rng.gamma(1.0 + power) ** power / math.gamma(1.0 + power)
    else:
        shape = min(window.cv, CV_MAX) ** -2.0
        biased = rng.gamma(shape + 1.0) / shape
    return rng.random() * biased


def _drawn(rng: np.random.Generator, table: tuple[float, ...], count: int) -> np.ndarray:
    """Whole tokens, at least 1: the inverse of the distribution, linear between the quantiles.

    Within the last percentile that is too much: over all published windows the means come
    out 2 to 4 % high, for m-small's answers 9 %.
    """
    values = np.interp(rng.random(count), _PROBABILITIES, (table[0], *table))
    return np.maximum(1, np.rint(values)).astype(np.int64)


def _window_rows(sources: Sequence[_Source]) -> Iterator[TraceRow]:
    made = [source.window() for source in sources]
    owner = np.repeat(np.arange(len(made)), [len(one[0]) for one in made])
    at, given, answered = (np.concatenate([one[i] for one in made]) for i in range(3))
    order = np.argsort(at, kind="stable")
    models = [source.client.model for source in sources]
    columns = (at[order], given[order], answered[order], owner[order])
    for at_s, prompt, answer, index in zip(*(one.tolist() for one in columns), strict=True):
        yield TraceRow(
            at_s=at_s,
            input_tokens=prompt,
            output_tokens=answer,
            model=models[index],
            class_name=models[index],
        )
