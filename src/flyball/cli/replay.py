"""How is a trace sent as live load? (`flyball replay TRACE --url URL`)"""

import asyncio
import re
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import replace

from flyball.cli.replay_output import AnswerFile, show_progress
from flyball.dialects.traces import formats, scale
from flyball.dialects.traces.row import Tally, TraceError, TraceRow
from flyball.model.request import Promise
from flyball.serve.load import modelnames, tracefile
from flyball.serve.load import text as loadtext
from flyball.serve.load.generator import Answer, Report, Target, run_load
from flyball.serve.log import pairs as logcheck
from flyball.sim import workload

Rows = Callable[[Tally], Iterator[TraceRow]]

_SLO = re.compile(r"(ttft|tpot|e2e)=(\d+(?:\.\d+)?)(ms|s)")
# Labels of --class-by length: up to so many input tokens.
_LENGTHS = ((512, "short"), (4096, "medium"), (float("inf"), "long"))


class CannotRun(click.ClickException):
    """The replay could not be carried out: the message names the place and the next step."""

    exit_code = 2


@click.command("replay")
@click.argument("trace")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="Where to send.")
@click.option("--api-key", envvar="FLYBALL_API_KEY", default="", help="Or $FLYBALL_API_KEY.")
@click.option("--model", default="", help="Model to ask for [the trace's, else the first served].")
@click.option("--class", "class_name", default="", help="Send all requests in this class.")
@click.option(
    "--class-by",
    type=click.Choice(["auto", "trace", "model", "length", "none"]),
    default="auto",
    show_default=True,
    help="Group the report; `trace` also sends the trace's own class (auto: where it is ours).",
)
@click.option("--speed", type=click.FloatRange(0, min_open=True), help="Compress time by this.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Or: mean requests/s.")
@click.option("--limit", type=click.IntRange(1), help="Only the first N requests.")
@click.option("--tail", type=click.IntRange(1), help="Only the last N requests.")
@click.option("--keep", type=click.FloatRange(0, 1, min_open=True), help="Share of sessions kept.")
@click.option("--duration", type=click.FloatRange(0, min_open=True), help="Seconds to send for.")
@click.option("--format", "form", type=click.Choice(["auto", *formats.FORMATS]), default="auto")
@click.option("--concurrency-max", type=click.IntRange(1), default=4096, show_default=True)
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=600.0, help="Seconds.")
@click.option("--retries", type=click.IntRange(0, 10), default=0, show_default=True)
@click.option("--output-max", type=click.IntRange(1), help="Cap on tokens asked per answer.")
@click.option("--slo", multiple=True, help="E.g. ttft=1s,tpot=60ms or CLASS:ttft=200ms.")
@click.option("--seed", type=int, default=1, show_default=True, help="For --keep and `generated`.")
@click.option("--mix", default="", help="For `generated`: chat=0.6,agent=0.4.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="*.jsonl, *.parquet")
@click.option(
    "--verify-log",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The gateway's ledger folder: check every request is recorded exactly once.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(**said: Any) -> None:
    """Send TRACE as live load, open loop, and report latency and goodput.

    TRACE is a file (Azure, Mooncake, Bailian, BurstGPT, OpenTelemetry GenAI spans, Flyball
    records, ...; also gzipped) or `generated` for load made from published statistics. Each
    request is sent at its time whatever became of the others. Exit code 1: nothing was answered,
    or the record does not match.
    """
    given = Options(**said)
    promises = _promises(given.slo)
    if given.speed and given.rate:
        raise click.UsageError("give --speed or --rate, not both")
    rows_of, form = _source(given)
    known, has_model, notes = _measured(rows_of)
    factor = _factor(known, given)
    wall_s = min(given.duration or float("inf"), known.duration_s / factor)
    _say(
        f"{given.trace} ({form}): {known.rows:,} requests over {known.duration_s:,.1f} s, "
        f"{known.rate_rps:.2f}/s; sent at {factor:.4g}x: {known.rate_rps * factor:.2f}/s "
        f"for {wall_s:,.1f} s"
    )
    for note in notes:
        _say(f"  {note}")
    target = _target(given, form, has_model, promises)
    rows: Iterable[TraceRow] = scale.faster(rows_of(Tally()), factor)
    if given.duration:
        rows = scale.window(rows, 0.0, given.duration)
    report = _driven(rows, target, wall_s, given)
    _finish(replace(report, notes=notes), given.output)


class Options(msgspec.Struct, kw_only=True, frozen=True):
    """What was typed, as click checked it."""

    trace: str
    url: str
    api_key: str
    model: str
    class_name: str
    class_by: str
    speed: float | None
    rate: float | None
    limit: int | None
    tail: int | None
    keep: float | None
    duration: float | None
    form: str
    concurrency_max: int
    timeout: float
    retries: int
    output_max: int | None
    slo: tuple[str, ...]
    seed: int
    mix: str
    out: Path | None
    verify_log: Path | None
    output: str


def _source(given: Options) -> tuple[Rows, str]:
    """The rows, to be read as often as needed, and the name of their format."""
    if given.trace == "generated":
        return _generated(given), "generated"
    path = Path(given.trace)
    try:
        form = tracefile.detect(path) if given.form == "auto" else given.form
    except TraceError as error:
        raise CannotRun(str(error)) from None

    def rows(tally: Tally) -> Iterator[TraceRow]:
        found: Iterator[TraceRow] = tracefile.rows(path, form, tally)
        if given.keep is not None:
            found = scale.rebased(scale.thinned(found, given.keep, given.seed))
        if given.limit is not None:
            found = scale.head(found, given.limit)
        return found if given.tail is None else scale.tail(found, given.tail)

    return rows, form


def _target(given: Options, form: str, has_model: bool, promises: dict[str, Promise]) -> Target:
    by = given.class_by
    if by == "auto":
        by = "trace" if form in ("records", "table", "generated") else "none"
    return Target(
        url=given.url,
        api_key=given.api_key,
        model=given.model or ("" if has_model else _first_model(given.url, given.api_key)),
        class_name=given.class_name,
        send_class=by == "trace",
        group_by=_LABELS[by],
        promises=promises,
        concurrency_max=given.concurrency_max,
        timeout_s=given.timeout,
        retries=given.retries,
        output_tokens_max=given.output_max or 0,
    )


def _driven(rows: Iterable[TraceRow], target: Target, wall_s: float, given: Options) -> Report:
    """Runs the load with its display and files, then checks the gateway's record if asked."""
    out, verify_log = given.out, given.verify_log
    ids: list[str] = []
    begun_at = time.time()
    with ExitStack() as stack:
        sinks: list[Callable[[Answer], None]] = []
        if verify_log is not None:
            sinks.append(lambda answer: ids.append(answer.request_id))
        try:
            if out is not None:
                sinks.append(stack.enter_context(AnswerFile(out)).write)
        except (OSError, ValueError) as error:
            raise CannotRun(f"--out {out}: {error}") from None
        show = stack.enter_context(show_progress(wall_s))

        def each(answer: Answer) -> None:
            for sink in sinks:
                sink(answer)

        async def main() -> Report:
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
            return await run_load(rows, target, show, each if sinks else None, stop)

        report = _loop_run(main())
    if verify_log is None:
        return report
    _say(f"checking {len(ids):,} request ids against the record in {verify_log}")
    try:
        check = logcheck.compare(verify_log, ids, begun_at)
    except ValueError as error:
        raise CannotRun(f"--verify-log {verify_log}: {error}") from None
    return replace(report, log_check=check)


def _finish(report: Report, output: str) -> None:
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        click.echo(loadtext.render(report))
    check = report.log_check or {}
    if report.total.answered == 0 or check.get("lost") or check.get("doubled"):
        sys.exit(1)


def _loop_run(main: Coroutine[None, None, Report]) -> Report:
    import uvloop

    try:
        return uvloop.run(main)
    except ValueError as error:
        raise CannotRun(str(error)) from None


def _generated(given: Options) -> Rows:
    try:
        pairs = [part.partition("=") for part in given.mix.split(",") if part]
        shares = {name.strip(): float(share) for name, _, share in pairs} or None
        seconds = (given.duration or 60.0) * (given.speed or 1.0)
        rows = workload.generate(given.seed, seconds, given.rate or 5.0, shares)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--mix") from None
    return lambda tally: scale.rebased(rows[: given.limit])


def _measured(rows_of: Rows) -> tuple[scale.Extent, bool, list[str]]:
    """One pass before the run: its size, whether its rows name a model, and what was noticed."""
    named = False
    tally = Tally()

    def watched() -> Iterator[TraceRow]:
        nonlocal named
        for row in rows_of(tally):
            named = named or bool(row.model)
            yield row

    try:
        known = scale.extent(watched())
    except TraceError as error:
        raise CannotRun(str(error)) from None
    if known.rows == 0:
        raise CannotRun("no request is left to send: loosen --keep, --limit or --duration")
    return known, named, tally.notes()


def _factor(known: scale.Extent, given: Options) -> float:
    """How much faster than recorded the trace is sent; a generated one has its rate already."""
    if given.rate is None or given.trace == "generated":
        return given.speed or 1.0
    try:
        return scale.speed_for_rate(known, given.rate)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--rate") from None


def _first_model(url: str, api_key: str) -> str:
    try:
        model = modelnames.first(url, api_key)
    except ValueError as error:
        raise CannotRun(str(error)) from None
    _say(f"the trace names no model: asking for {model!r}, the first that {url} lists")
    return model


def _promises(said: tuple[str, ...]) -> dict[str, Promise]:
    promises: dict[str, Promise] = {}
    for text in said:
        name, colon, terms = text.rpartition(":")
        bounds: dict[str, float] = {}
        for term in terms.split(","):
            found = _SLO.fullmatch(term.strip())
            if found is None:
                raise click.BadParameter(
                    f"{term!r} is not a bound such as ttft=1s, tpot=60ms or e2e=30s",
                    param_hint="--slo",
                )
            bounds[f"{found[1]}_s"] = float(found[2]) / (1e3 if found[3] == "ms" else 1.0)
        promises[name if colon else ""] = Promise(**bounds)
    return promises


def _by_length(row: TraceRow) -> str:
    return next(name for bound, name in _LENGTHS if row.input_tokens <= bound)


_LABELS: dict[str, Callable[[TraceRow], str]] = {
    "trace": lambda row: row.class_name or "all",
    "model": lambda row: row.model or "all",
    "length": _by_length,
    "none": lambda row: "all",
}


def _say(text: str) -> None:
    click.echo(text, err=True)
