"""Which streams of a fleet are watched for drift, and what has each said since it was accepted?

A stream is a mix of shares (which pool, which retry depth) or a few means (latency beyond what was
predicted), of one layer: control, inference or model. The state per stream is bounded: while it
learns, the means of its slots; then what both detectors keep.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import numpy as np
from msgspec import Struct

from flyball.diagnosis.drift.conformal import SLOTS_MIN, Conformal, accept
from flyball.diagnosis.drift.edetector import Array, e_bh, pooled
from flyball.diagnosis.drift.quasi import Quasi, learn
from flyball.model.decision import Intent, Outcome

Layer = Literal["control", "inference", "model"]


class Stream(Struct, frozen=True, kw_only=True):
    """What is watched: `parts` = the categories of a mix, or the names of its numbers."""

    name: str
    layer: Layer
    parts: tuple[str, ...]
    is_mix: bool = True


PERIODS_MIN = 3
"""Of fewer periods a periodic course is not told from chance."""


class Watch(Struct, frozen=True, kw_only=True):
    """How it is watched. One tick is a minute.

    `memory` = ticks after which the noise has forgotten itself; `slots` of equal length in it;
    `learning` = ticks of accepted behaviour to learn from (two weeks); `run_length` = mean ticks
    between two false alarms of all streams together; `rate` = false discoveries among the streams
    named at an alarm. `period` = ticks after which behaviour repeats itself (a day), learnt in
    blocks of `block` ticks and taken off; 0 = it does not.
    """

    memory: int = 30
    slots: int = 6
    learning: int = 20_160
    run_length: float = 10_000.0
    rate: float = 0.1
    period: int = 0
    block: int = 60

    def __post_init__(self) -> None:
        """Raises ValueError for a memory that is no whole number of slots, or short learning."""
        if self.slots < 1 or self.memory % self.slots:
            raise ValueError(f"a memory of {self.memory} ticks is not {self.slots} equal slots")
        least = max(SLOTS_MIN * self.slot, 20 * self.memory)
        if self.learning < least:
            raise ValueError(f"{self.learning} ticks of learning; at least {least} are needed")
        if self.period and (self.period % self.block or self.block % self.slot):
            raise ValueError(
                f"a period of {self.period} ticks is not whole blocks of {self.block}, or these "
                f"are not whole slots of {self.slot}"
            )
        if self.period and self.learning < PERIODS_MIN * self.period:
            raise ValueError(f"{self.learning} ticks of learning hold no {PERIODS_MIN} periods")

    @property
    def slot(self) -> int:
        """Ticks in a slot."""
        return self.memory // self.slots


class Alarm(Struct, frozen=True, kw_only=True):
    """Drift: the pooled evidence in ticks, the streams it comes from (strongest first), each with
    its evidence, the shares or means that were accepted, and those since the last few slots."""

    evidence: float
    streams: tuple[str, ...]
    strengths: tuple[float, ...]
    accepted: tuple[tuple[float, ...], ...]
    recent: tuple[tuple[float, ...], ...]


class Group:
    """Streams of one shape, side by side in arrays: `sums` and `weights` of this tick are added to,
    `close` ends it."""

    def __init__(self, streams: Sequence[Stream], watch: Watch) -> None:
        count, width = len(streams), len(streams[0].parts)
        self.streams = tuple(streams)
        self._watch = watch
        self._is_mix = streams[0].is_mix
        self.sums = np.zeros((count, width))
        self.weights = np.zeros(count)
        self._slot = np.zeros((count, width))
        self._past = np.zeros((count, watch.learning // watch.slot, width), dtype=np.float32)
        self._filled = 0
        self._ticks = 0
        self.centre = np.zeros((count, width))
        self.recent = np.zeros((count, width))
        self._conformal: Conformal | None = None
        self._quasi: Quasi | None = None
        self._course = np.zeros((count, max(watch.period // watch.block, 1), width))

    def close(self) -> None:
        """Ends a tick. A stream that was silent counts as one that behaved as it is used to."""
        known = self.weights > 0.0
        means = np.divide(
            self.sums, self.weights[:, None], out=self.centre.copy(), where=known[:, None]
        )
        self.sums[:] = 0.0
        self.weights[:] = 0.0
        phase = self._ticks // self._watch.block % self._course.shape[1]
        means -= np.where(known[:, None], self._course[:, phase], 0.0)
        self._ticks += 1
        self._slot += means
        if self._quasi is not None:
            self._quasi.tick(means)
        if self._ticks % self._watch.slot == 0:
            self._end_slot(self._slot / self._watch.slot)
            self._slot[:] = 0.0

    def _end_slot(self, means: Array) -> None:
        self.recent += (means - self.recent) / self._watch.slots
        if self._conformal is not None:
            # The last share of a mix follows from the others.
            self._conformal.slot(means[:, :-1] if self._is_mix else means)
            return
        self._past[:, self._filled] = means
        self._filled += 1
        self.centre += (means - self.centre) / self._filled
        if self._filled == self._past.shape[1]:
            self._accept()

    def _accept(self) -> None:
        watch = self._watch
        past = self._less_course(self._past.astype(np.float64))
        self._conformal = Conformal(accept(past[:, :, :-1] if self._is_mix else past), watch.slots)
        self._quasi = Quasi(learn(past, watch.slots, watch.slot, self._is_mix))
        self._past = np.zeros((0, 0, 0), dtype=np.float32)

    def _less_course(self, past: Array) -> Array:
        """Learns the periodic course from the past [S, N, D] and takes it off.

        A slot counts for itself in its phase's mean: what is left is scaled to what it were had it
        not, as a new slot does not.
        """
        watch, phases = self._watch, self._course.shape[1]
        if phases == 1:
            return past
        phase = np.arange(past.shape[1]) // (watch.block // watch.slot) % phases
        for one in range(phases):
            mine = past[:, phase == one]
            self._course[:, one] = mine.mean(axis=1) - self.centre
            days = max(mine.shape[1] * watch.slot // watch.block, 2)
            left = mine - mine.mean(axis=1, keepdims=True)
            past[:, phase == one] = self.centre[:, None] + left * days / (days - 1.0)
        return past

    @property
    def evidence(self) -> Array:
        """[S], in ticks, of both detectors, each with half the budget; 0 while learning."""
        if self._conformal is None or self._quasi is None:
            return np.zeros(len(self.streams))
        return np.asarray(
            (self._conformal.evidence * self._watch.slot + self._quasi.evidence) / 2.0
        )

    def forget(self) -> None:
        """Evidence begins anew."""
        if self._conformal is not None and self._quasi is not None:
            self._conformal.forget()
            self._quasi.forget()


class Bank:
    """All streams of a fleet under one budget of alarms. Raises ValueError for doubled names, for a
    mix of less than two parts, for none."""

    def __init__(self, streams: Sequence[Stream], watch: Watch) -> None:
        names = [stream.name for stream in streams]
        if len(set(names)) < len(names) or not names:
            raise ValueError("streams need names of their own, and at least one is needed")
        if any(len(s.parts) < (2 if s.is_mix else 1) for s in streams):
            raise ValueError("a mix needs two parts, other streams one")
        self._watch = watch
        shapes: dict[tuple[int, bool], list[Stream]] = {}
        for stream in streams:
            shapes.setdefault((len(stream.parts), stream.is_mix), []).append(stream)
        self._groups = [Group(members, watch) for members in shapes.values()]
        self._places = {
            stream.name: (group, row)
            for group in self._groups
            for row, stream in enumerate(group.streams)
        }

    def add(self, name: str, values: Sequence[float] | Array, weight: float = 1.0) -> None:
        """Adds counts of a mix (weight = their sum) or numbers times their weight to this tick.

        Streams that are not watched are passed over. Numbers that are not finite count as silence.
        """
        place = self._places.get(name)
        if place is None or not weight > 0.0 or not np.all(np.isfinite(values)):
            return
        group, row = place
        group.sums[row] += values
        group.weights[row] += weight

    def count(self, name: str, part: str) -> None:
        """One more of a mix's part; a part that is not listed counts as the last one."""
        place = self._places.get(name)
        if place is None:
            return
        group, row = place
        parts = group.streams[row].parts
        group.sums[row, parts.index(part) if part in parts else len(parts) - 1] += 1.0
        group.weights[row] += 1.0

    def tick(self) -> Alarm | None:
        """Ends this tick; an alarm if all streams together are no longer as they were accepted.

        After an alarm evidence begins anew: an alarm that lasts comes again.
        """
        for group in self._groups:
            group.close()
        evidence = np.concatenate([group.evidence for group in self._groups])
        total = pooled(evidence)
        if total < self._watch.run_length:
            return None
        named = e_bh(evidence / self._watch.run_length, self._watch.rate)
        alarm = self._alarm(total, evidence, named if named.size else np.argsort(-evidence)[:1])
        for group in self._groups:
            group.forget()
        return alarm

    def evidence(self) -> Iterator[tuple[Stream, float]]:
        """Each stream and its evidence in ticks."""
        for group in self._groups:
            yield from zip(group.streams, group.evidence.tolist(), strict=True)

    def _alarm(self, total: float, evidence: Array, named: np.ndarray) -> Alarm:
        rows = [(group, row) for group in self._groups for row in range(len(group.streams))]
        chosen = [rows[int(index)] for index in named]
        return Alarm(
            evidence=total,
            streams=tuple(group.streams[row].name for group, row in chosen),
            strengths=tuple(float(evidence[int(index)]) for index in named),
            accepted=tuple(tuple(group.centre[row].tolist()) for group, row in chosen),
            recent=tuple(tuple(group.recent[row].tolist()) for group, row in chosen),
        )


ENDINGS = ("served", "refused", "failed", "retried", "cancelled", "other")
DEPTHS = ("1", "2", "3", "more")


def standard(pools: Sequence[str]) -> tuple[Stream, ...]:
    """The streams that a fleet's own records feed, for these pools."""
    return (
        Stream(name="control/pool", layer="control", parts=(*pools, "other")),
        Stream(name="control/attempt", layer="control", parts=DEPTHS),
        Stream(name="control/kept", layer="control", parts=("whole", "cut")),
        Stream(name="control/tier", layer="control", parts=("asked", "other")),
        Stream(name="control/ending", layer="control", parts=ENDINGS),
        Stream(name="inference/ttft", layer="inference", parts=("log_ratio",), is_mix=False),
        Stream(name="inference/cached", layer="inference", parts=("share",), is_mix=False),
        Stream(name="model/length", layer="model", parts=("log_tokens",), is_mix=False),
    )


class Counts(Protocol):
    """What records are fed to: a bank, or sums that are fed to one later."""

    def count(self, name: str, part: str) -> None:
        """One more of a mix's part."""

    def add(self, name: str, values: Sequence[float] | Array, weight: float = 1.0) -> None:
        """Numbers, times their weight."""


def feed_intent(bank: Counts, intent: Intent) -> None:
    """What an intent says to the streams of the control layer."""
    bank.count("control/pool", intent.pool)
    bank.count("control/attempt", str(intent.attempt) if intent.attempt < 4 else "more")
    bank.count("control/kept", "cut" if intent.tokens_kept < intent.tokens_offered else "whole")
    bank.count("control/tier", "other" if intent.served_model else "asked")


def feed_outcome(bank: Counts, intent: Intent | None, outcome: Outcome) -> None:
    """What an outcome says; with its intent also how far latency was from the predicted one."""
    bank.count("control/ending", outcome.outcome)
    if outcome.outcome != "served":
        return
    if outcome.input_tokens > 0:
        bank.add("inference/cached", [outcome.cached_tokens / outcome.input_tokens])
    if outcome.output_tokens > 0:
        bank.add("model/length", [float(np.log(outcome.output_tokens))])
    predicted = (
        [c.ttft_s for c in intent.candidates if c.endpoint == outcome.endpoint] if intent else []
    )
    if predicted and predicted[0] > 0.0 and outcome.ttft_s > 0.0:
        bank.add("inference/ttft", [float(np.log(outcome.ttft_s / predicted[0]))])
