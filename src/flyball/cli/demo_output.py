"""What does the demo show: a few client calls, the tables, the prices, one decision explained?"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import click

from flyball.model.decision import Intent, Outcome
from flyball.serve.load.report import Report
from flyball.serve.load.text import render
from flyball.serve.log.reader import LogReader, open_log

PATIENCE_S = 5.0
_BARS = " ▁▂▃▄▅▆▇█"


def calls(url: str, api_key: str, model: str) -> Iterator[str]:
    """A few calls by the official client, one line each; says so if it is not installed."""
    try:
        import openai
    except ImportError:
        yield "the openai package is not installed: its calls are left out (pip install openai)"
        return
    client = openai.OpenAI(base_url=url + "/v1", api_key=api_key, max_retries=0)
    ask = [{"role": "user", "content": "Who kept Watt's engine steady?"}]
    raw = client.chat.completions.with_raw_response.create(
        model=model,
        messages=ask,  # type: ignore[arg-type]
        max_tokens=12,
    )
    answer = raw.parse()
    where = raw.headers.get("x-flyball-endpoint", "?")
    price = raw.headers.get("x-flyball-price-usd", "?")
    tokens = answer.usage.total_tokens if answer.usage else 0
    yield f"openai client: {tokens} tokens from {where}, price {price} USD"
    stream = client.chat.completions.create(
        model=model,
        messages=ask,  # type: ignore[arg-type]
        max_tokens=12,
        stream=True,
    )
    yield f"openai client, stream: {sum(1 for _ in stream)} events"
    try:
        client.chat.completions.create(
            model="no-such-model",
            messages=ask,  # type: ignore[arg-type]
        )
    except openai.NotFoundError as error:
        yield f"openai client, wrong model: {type(error).__name__}, code {error.code}"


def show(
    report: Report, boards: list[tuple[float, dict[str, float]]], ledger: Path, since: float
) -> None:
    """All tables, from the client's side and from the ledger's."""
    click.echo("\nWhat the clients saw")
    click.echo(render(report))
    log, intents, outcomes = _records(ledger, since)
    _placement(intents, outcomes)
    _refusals(outcomes)
    _prices(boards)
    _pairs(intents, outcomes)
    _one_explained(log, outcomes)


def _records(
    ledger: Path, since: float
) -> tuple[LogReader, dict[tuple[str, int], Intent], list[Outcome]]:
    """What was written from `since` on. The log is written a little after the answer: it is read
    again until each attempt has its end, for a few seconds at most."""
    give_up_at = monotonic() + PATIENCE_S
    while True:
        log = open_log(ledger)
        records = [found.record for found in log.since(since) if found.record.at >= since]
        intents = {(r.id, r.attempt): r for r in records if isinstance(r, Intent)}
        outcomes = [r for r in records if isinstance(r, Outcome)]
        if intents.keys() <= {(o.id, o.attempts) for o in outcomes} or monotonic() > give_up_at:
            return log, intents, outcomes
        sleep(0.1)


def _table(title: str, heading: list[str], rows: list[list[str]]) -> None:
    click.echo(f"\n{title}")
    grid = [heading, *rows]
    widths = [max(len(row[i]) for row in grid) for i in range(len(heading))]
    for row in grid:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        click.echo("  " + "  ".join(cells).rstrip())


def _placement(intents: dict[tuple[str, int], Intent], outcomes: list[Outcome]) -> None:
    """Class by pool: where work went, from the ledger."""
    pools = sorted({intent.pool for intent in intents.values()})
    served = {(o.id, o.attempts) for o in outcomes if o.outcome == "served"}
    counts: Counter[tuple[str, str]] = Counter()
    for key, intent in intents.items():
        if key in served:
            counts[intent.class_name, intent.pool] += 1
    rows = [
        [name, *(f"{counts[name, pool]:,}" for pool in pools)]
        for name in sorted({name for name, _ in counts})
    ]
    _table("Where it ran (answers by class and pool)", ["class", *pools], rows)


def _refusals(outcomes: list[Outcome]) -> None:
    """What was not served, by reason; and what went on at a fall-back."""
    counts = Counter(
        (o.class_name or "?", o.outcome, o.code) for o in outcomes if o.outcome != "served"
    )
    rows = [
        [name, kind, code or "-", f"{count:,}"]
        for (name, kind, code), count in sorted(counts.items())
    ]
    if rows:
        _table("Not served at once, and why", ["class", "what", "code", "count"], rows)


def _prices(boards: list[tuple[float, dict[str, float]]]) -> None:
    """A line of bars per pool: the plan's price of a GPU second over the run."""
    pools = sorted({pool for _, board in boards for pool in board})
    if not pools:
        return
    rows: list[list[str]] = []
    for pool in pools:
        values = [board.get(pool, 0.0) for _, board in boards]
        most = max(values)
        bars = "".join(_BARS[int(8 * value / most)] if most else " " for value in values)
        rows.append([pool, f"{values[-1]:.6f}", f"{most:.6f}", bars])
    _table("Plan prices, USD per GPU second", ["pool", "now", "highest", "over the run"], rows)


def _pairs(intents: dict[tuple[str, int], Intent], outcomes: list[Outcome]) -> None:
    ends = Counter((o.id, o.attempts) for o in outcomes if o.attempts)
    lost = sum(1 for key in intents if key not in ends)
    doubled = sum(1 for count in ends.values() if count > 1)
    retried = sum(1 for o in outcomes if o.outcome == "retried")
    click.echo(
        f"\nLedger: {len(intents):,} attempts, {len(outcomes):,} outcomes, {retried} carried on at "
        f"a fall-back; lost {lost}, doubled {doubled}"
    )


def _one_explained(log: LogReader, outcomes: list[Outcome]) -> None:
    """The most telling decision there is: one carried on, else one refused, else the last."""
    from flyball.cli.explain import case_of
    from flyball.ledger.explain import explain, text_lines

    wanted = [o for o in outcomes if o.outcome == "retried"] or [
        o for o in outcomes if o.outcome == "refused"
    ]
    chosen = (wanted or outcomes)[-1:]
    case = case_of([log], chosen[0].id) if chosen else None
    if case is None:
        return
    click.echo(f"\nOne decision explained: flyball explain {case.id}")
    for line in text_lines(explain(case)):
        click.echo("  " + line)
