"""What has been counted so far, cheaply, and how does it read as Prometheus text?

A cell is one labelled series; whoever updates often keeps the cell and pays an addition. Labels
that clients can choose are bounded: `LABEL_VALUES_MAX` values, and `other` for all further ones.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from flyball.serve.names import Metric

LABEL_VALUES_MAX = 1000
LABEL_CHARS_MAX = 128
OTHER = "other"
CLIENT_LABELS = ("class", "model")
Labels = tuple[str, ...]
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class Cell:
    """One number: a counter's total or a gauge's value."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0


class Buckets:
    """One histogram: how many values fell at or below each bound, and their sum."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def cumulative(self) -> Iterator[tuple[str, float]]:
        """(upper bound, how many at or below it), ending with +Inf."""
        running = 0
        for bound, number in zip([*self._bounds, float("inf")], self.counts, strict=True):
            running += number
            yield ("+Inf" if bound == float("inf") else str(bound)), running


class LabelCap:
    """Which values of one label are told apart."""

    def __init__(self, values_max: int = LABEL_VALUES_MAX) -> None:
        self._values_max = values_max
        self._named: frozenset[str] = frozenset()
        self._met: set[str] = set()

    def name(self, values: Iterable[str]) -> None:
        """Values that the operator named: always told apart, in place of those named before."""
        self._named = frozenset(values)

    def of(self, value: str) -> str:
        """The value itself, cut to `LABEL_CHARS_MAX`; `other` when too many were met already."""
        if value in self._named:
            return value
        short = value[:LABEL_CHARS_MAX]
        if short not in self._met:
            if len(self._met) >= self._values_max:
                return OTHER
            self._met.add(short)
        return short


class Meters(Collector):
    """All series. Not for several threads: it belongs to the loop that feeds and renders it."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._cells: dict[str, dict[Labels, Cell]] = {name: {} for name in self._metrics}
        self._buckets: dict[str, dict[Labels, Buckets]] = {name: {} for name in self._metrics}
        self._caps = {label: LabelCap() for label in CLIENT_LABELS}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def cell(self, metric: Metric, *labels: str) -> Cell:
        """The series of these label values, in the order of `metric.labels`."""
        return self._cells[metric.name].setdefault(self._capped(metric, labels), Cell())

    def buckets(self, metric: Metric, *labels: str) -> Buckets:
        """The histogram of these label values."""
        known = self._buckets[metric.name]
        capped = self._capped(metric, labels)
        if capped not in known:
            known[capped] = Buckets(metric.buckets)
        return known[capped]

    def name(self, label: str, values: Iterable[str]) -> None:
        """The operator's own values of a label that clients can choose too."""
        self._caps[label].name(values)

    def clear(self, metric: Metric) -> None:
        """Forget all series of a gauge whose subjects have changed."""
        self._cells[metric.name].clear()

    def render(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Family]:
        """Names for the registry's check of doubles."""
        return [_family(metric) for metric in self._metrics.values()]

    def collect(self) -> Iterator[Family]:
        """One family per metric that has any series."""
        for name, metric in self._metrics.items():
            family = _family(metric)
            if isinstance(family, HistogramMetricFamily):
                for labels, found in self._buckets[name].items():
                    family.add_metric(labels, list(found.cumulative()), found.total)
            else:
                for labels, cell in self._cells[name].items():
                    family.add_metric(labels, cell.value)
            if family.samples:
                yield family

    def _capped(self, metric: Metric, labels: Labels) -> Labels:
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {metric.labels}, not {labels}")
        return tuple(
            self._caps[name].of(value) if name in self._caps else value
            for name, value in zip(metric.labels, labels, strict=True)
        )


def _family(metric: Metric) -> Family:
    kinds: dict[str, type[Family]] = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "histogram": HistogramMetricFamily,
    }
    return kinds[metric.kind](metric.name, metric.about, labels=metric.labels)
