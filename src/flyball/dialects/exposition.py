"""Which samples of a few named metrics stand on a Prometheus text page?

Format: prometheus.io/docs/instrumenting/exposition_formats (text 0.0.4; OpenMetrics' exemplars and
timestamps are tolerated). A page of 100 KB is mostly histograms that nobody here reads, so the
scan hops from one `# TYPE` line to the next and looks only into families that are wanted; the
format keeps a family's lines together. A page without any `# TYPE` line is read line by line.
"""

import re
from collections.abc import Iterable
from math import isfinite

from msgspec import Struct

_TYPE = b"# TYPE "
_LABEL = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]++|\\.)*+)"')
_SAMPLES_MAX = 4096


class Sample(Struct, frozen=True, gc=False):
    """One line: its labels, and its value or None where that is no finite number of 0 or more."""

    labels: bytes
    value: float | None

    def label(self, name: bytes) -> bytes | None:
        """The (still escaped) value of one label, None if it is not there."""
        for found in _LABEL.finditer(self.labels):
            if found[1] == name:
                return found[2]
        return None


Samples = dict[bytes, list[Sample]]


def read_samples(page: bytes, wanted: frozenset[bytes]) -> Samples:
    """The samples of each wanted metric name that is on the page, in the page's order."""
    found: Samples = {}
    at = 0 if page.startswith(_TYPE) else page.find(b"\n" + _TYPE) + 1
    if at == 0 and not page.startswith(_TYPE):
        _collect(page, wanted, found)
        return found
    families = wanted | {name.removesuffix(b"_total") for name in wanted}
    while True:
        start = at + len(_TYPE)
        name_end = page.find(b" ", start)
        name = page[start:name_end]
        following = page.find(b"\n" + _TYPE, name_end)
        if name in families:
            _collect(page[name_end : following if following >= 0 else None], wanted, found)
        if following < 0 or name_end < 0:
            return found
        at = following + 1


def total(samples: Iterable[Sample]) -> float | None:
    """The sum over all ranks; None if there is no sample, or any is no number."""
    values = [sample.value for sample in samples]
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def mean(samples: Iterable[Sample]) -> float | None:
    """The mean over all ranks, for ratios; None as in `total`."""
    values = list(samples)
    whole = total(values)
    return None if whole is None else whole / len(values)


def greatest(samples: Iterable[Sample]) -> float | None:
    """The greatest value; None as in `total`."""
    values = [sample.value for sample in samples]
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def first(samples: Iterable[Sample]) -> float | None:
    """The first rank's value, for what is alike on all of them; None if there is none."""
    return next((sample.value for sample in samples), None)


def count(value: float | None) -> int | None:
    """A whole number out of a sample's value."""
    return None if value is None else round(value)


def ratio(value: float | None) -> float | None:
    """A share in [0, 1]; None if it is clearly more than 1, so that no percentage is believed."""
    return None if value is None or value > 1.01 else min(value, 1.0)


def whole_label(sample: Sample, name: bytes) -> int | None:
    """A label's value where it is a whole number above 0, else None (vLLM writes "None")."""
    text = sample.label(name)
    return int(text) if text and len(text) <= 15 and text.isdigit() and int(text) else None


def _collect(text: bytes, wanted: frozenset[bytes], found: Samples) -> None:
    for line in text.split(b"\n"):
        brace = line.find(b"{")
        if brace >= 0:
            name = line[:brace].rstrip()
        else:
            words = line.split(maxsplit=1)
            name = words[0] if words else b""
        if name in wanted:
            kept = found.setdefault(name, [])
            if len(kept) < _SAMPLES_MAX:
                kept.append(_sample(line[len(name) :]))


def _sample(rest: bytes) -> Sample:
    """`rest` = `{labels} value [timestamp] [# exemplar]`, the labels maybe absent."""
    rest = rest.lstrip()
    labels = b""
    if rest.startswith(b"{"):
        close = rest.find(b"}")
        if rest.find(b"}", close + 1) >= 0:
            close = _closing_brace(rest)
        labels, rest = rest[1:close], rest[close + 1 :]
    words = rest.split(maxsplit=1)
    return Sample(labels, _value(words[0]) if words else None)


def _closing_brace(text: bytes) -> int:
    """Where the labels end if braces may stand inside quoted values, or in an exemplar."""
    at = 1
    for found in _LABEL.finditer(text):
        if text.find(b"}", at, found.start()) >= 0:
            break
        at = found.end()
    return text.find(b"}", at)


def _value(text: bytes) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None
