"""What did a load bring, per class and in total: answers, refusals, latencies, goodput?"""

from array import array
from collections.abc import Sequence

import numpy as np
from msgspec import Struct, field

from flyball.model.request import Promise
from flyball.serve.load.wire import Ending, Exchange
from flyball.units import Ratio, Seconds, Tokens

LAG_S_MAX = 0.05


class Answer(Struct, frozen=True, kw_only=True):
    """One request as it ended. Latencies count from the time the trace asked for; 0 = unknown.

    `result`: answered, refused (the server said no), failed or stopped. `code` says which.
    """

    number: int
    class_name: str
    due_s: Seconds
    result: str
    code: str
    status: int
    retries: int
    ttft_s: Seconds
    tpot_s: Seconds
    e2e_s: Seconds
    input_tokens: Tokens
    cached_tokens: Tokens
    output_tokens: Tokens
    events: int
    in_time: bool
    request_id: str


class Quantiles(Struct, frozen=True, kw_only=True):
    """Percentiles in seconds; None where nothing was measured."""

    p50_s: Seconds | None = None
    p90_s: Seconds | None = None
    p95_s: Seconds | None = None
    p99_s: Seconds | None = None


class ClassReport(Struct, frozen=True, kw_only=True):
    """One class. `goodput_rps` = answers within the promise per second of the run."""

    name: str
    sent: int
    answered: int
    refused: dict[str, int]
    failed: dict[str, int]
    stopped: int
    retries: int
    in_time: int
    goodput_rps: float
    goodput_ratio: Ratio
    input_tokens: Tokens
    cached_tokens: Tokens
    output_tokens: Tokens
    output_tokens_per_s: float
    ttft: Quantiles
    tpot: Quantiles
    e2e: Quantiles


class Report(Struct, frozen=True, kw_only=True):
    """A whole run. `open_loop` is false if the generator itself was late (lag p99 > 50 ms)."""

    url: str
    duration_s: Seconds
    interrupted: bool
    open_loop: bool
    lag: Quantiles
    lag_s_max: Seconds
    connections: int
    total: ClassReport
    classes: list[ClassReport]
    notes: list[str] = field(default_factory=list)
    log_check: dict[str, int] | None = None


class _Group:
    """Counts and latencies of one class: 8 bytes per figure and request."""

    def __init__(self) -> None:
        self.sent = self.answered = self.stopped = self.retries = self.in_time = 0
        self.refused: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.input_tokens = self.cached_tokens = self.output_tokens = 0
        self.ttft_s, self.tpot_s, self.e2e_s = array("d"), array("d"), array("d")


class Ledger:
    """Collects the answers of a run. `begun` and `ended` are of `perf_counter`."""

    def __init__(self, url: str, promises: dict[str, Promise], begun: float) -> None:
        self._url = url
        self._promises = promises
        self._groups: dict[str, _Group] = {}
        self._lag_s = array("d")
        self.begun = self.ended = begun
        self.connections = 0
        self.sent = self.answered = self.refused = self.failed = 0

    def note_sent(self, label: str, lag_s: Seconds) -> None:
        """A request left, `lag_s` after its time."""
        self.sent += 1
        self._lag_s.append(max(lag_s, 0.0))
        self._group(label).sent += 1

    def note_ended(self, exchange: Exchange, end: Ending) -> Answer:
        """A request is over; exactly one call per request sent."""
        result, code = _judge(exchange, end)
        answer = self._answer(exchange, end, result, code)
        group = self._group(exchange.label)
        group.retries += exchange.retries
        if result == "answered":
            self.answered += 1
            _add(group, answer)
        elif result == "stopped":
            group.stopped += 1
        else:
            counts = group.refused if result == "refused" else group.failed
            counts[code] = counts.get(code, 0) + 1
            self.refused += result == "refused"
            self.failed += result == "failed"
        return answer

    def report(self, interrupted: bool = False) -> Report:
        """What is known so far."""
        duration_s = max(self.ended - self.begun, 1e-9)
        lag = _quantiles(self._lag_s)
        classes = [_class(name, (group,), duration_s) for name, group in self._groups.items()]
        classes.sort(key=lambda one: one.name)
        return Report(
            url=self._url,
            duration_s=duration_s,
            interrupted=interrupted,
            open_loop=(lag.p99_s or 0.0) <= LAG_S_MAX,
            lag=lag,
            lag_s_max=max(self._lag_s, default=0.0),
            connections=self.connections,
            total=_class("total", tuple(self._groups.values()), duration_s),
            classes=classes,
        )

    def _group(self, label: str) -> _Group:
        group = self._groups.get(label)
        if group is None:
            group = self._groups[label] = _Group()
        return group

    def _answer(self, exchange: Exchange, end: Ending, result: str, code: str) -> Answer:
        first_at = exchange.first_at or exchange.last_at  # an answer that is no stream
        ttft_s = first_at - exchange.due if first_at else 0.0
        e2e_s = exchange.last_at - exchange.due if exchange.last_at else 0.0
        tokens = end.usage.completion_tokens or exchange.events
        tpot_s = (exchange.last_at - first_at) / (tokens - 1) if tokens > 1 else 0.0
        promise = self._promises.get(exchange.label) or self._promises.get("") or Promise()
        return Answer(
            number=exchange.number,
            class_name=exchange.label,
            due_s=exchange.due - self.begun,
            result=result,
            code=code,
            status=exchange.status,
            retries=exchange.retries,
            ttft_s=ttft_s,
            tpot_s=tpot_s,
            e2e_s=e2e_s,
            input_tokens=end.usage.prompt_tokens,
            cached_tokens=end.usage.cached_tokens,
            output_tokens=tokens if result == "answered" else 0,
            events=exchange.events,
            in_time=result == "answered" and _is_kept(promise, ttft_s, tpot_s, e2e_s),
            request_id=exchange.request_id,
        )


def _judge(exchange: Exchange, end: Ending) -> tuple[str, str]:
    """Result and code. Refused = the server answered 4xx or 503; its own errors are failures."""
    if exchange.cause == "stopped":
        return "stopped", "stopped"
    if exchange.cause:
        return "failed", exchange.cause
    if exchange.status >= 400:
        no = exchange.status < 500 or exchange.status == 503
        return "refused" if no else "failed", end.error or f"http_{exchange.status}"
    if end.error:
        return "failed", end.error
    if exchange.status != 200:
        return "failed", f"http_{exchange.status}"
    return ("answered", "") if end.whole else ("failed", "cut-short")


def _is_kept(promise: Promise, ttft_s: Seconds, tpot_s: Seconds, e2e_s: Seconds) -> bool:
    pairs = ((ttft_s, promise.ttft_s), (tpot_s, promise.tpot_s), (e2e_s, promise.e2e_s))
    return all(not bound or value <= bound for value, bound in pairs)


def _add(group: _Group, answer: Answer) -> None:
    group.answered += 1
    group.in_time += answer.in_time
    group.input_tokens += answer.input_tokens
    group.cached_tokens += answer.cached_tokens
    group.output_tokens += answer.output_tokens
    group.ttft_s.append(answer.ttft_s)
    group.e2e_s.append(answer.e2e_s)
    if answer.output_tokens > 1:
        group.tpot_s.append(answer.tpot_s)


def _quantiles(*parts: "array[float]") -> Quantiles:
    values = np.concatenate([np.asarray(part) for part in parts]) if parts else np.empty(0)
    if not values.size:
        return Quantiles()
    p50, p90, p95, p99 = (float(value) for value in np.percentile(values, (50, 90, 95, 99)))
    return Quantiles(p50_s=p50, p90_s=p90, p95_s=p95, p99_s=p99)


def _class(name: str, groups: Sequence[_Group], duration_s: Seconds) -> ClassReport:
    sent = sum(group.sent for group in groups)
    in_time = sum(group.in_time for group in groups)
    output_tokens = sum(group.output_tokens for group in groups)
    return ClassReport(
        name=name,
        sent=sent,
        answered=sum(group.answered for group in groups),
        refused=_merged([group.refused for group in groups]),
        failed=_merged([group.failed for group in groups]),
        stopped=sum(group.stopped for group in groups),
        retries=sum(group.retries for group in groups),
        in_time=in_time,
        goodput_rps=in_time / duration_s,
        goodput_ratio=in_time / sent if sent else 0.0,
        input_tokens=sum(group.input_tokens for group in groups),
        cached_tokens=sum(group.cached_tokens for group in groups),
        output_tokens=output_tokens,
        output_tokens_per_s=output_tokens / duration_s,
        ttft=_quantiles(*(group.ttft_s for group in groups)),
        tpot=_quantiles(*(group.tpot_s for group in groups)),
        e2e=_quantiles(*(group.e2e_s for group in groups)),
    )


def _merged(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    merged: dict[str, int] = {}
    for one in counts:
        for code, count in one.items():
            merged[code] = merged.get(code, 0) + count
    return dict(sorted(merged.items(), key=lambda pair: (-pair[1], pair[0])))
