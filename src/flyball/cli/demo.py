"""How does the whole thing run on this machine, on real traffic, in under 90 seconds?

Two like fleets side by side, each of separate processes, get the same requests at the same times:
one governed, one run by loops that each act for themselves. In the middle a surge comes, and an
engine is killed. Shown: what became of both, and in detail what the governor did.
"""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path

import click

from flyball.cli.demo_fleet import API_KEY, MODEL
from flyball.cli.demo_run import VICTIM, DemoFault, Fleet
from flyball.dialects.traces.row import TraceRow

KILL_AT_SHARE = 0.6
SURGE_FROM_SHARE, SURGE_SHARE = 0.25, 0.3


@click.command()
@click.option("--trace", type=click.Path(path_type=Path), help="A recorded trace to send instead "
              "of the generated one (Azure, Mooncake, BurstGPT, Bailian, OTel spans).")  # fmt: skip
@click.option("--seconds", default=40.0, show_default=True, type=click.FloatRange(2, 600),
              help="How long load is sent.")  # fmt: skip
@click.option("--rate", default=18.0, show_default=True, type=click.FloatRange(0.1, 500),
              help="Requests per second in the mean, the surge apart.")  # fmt: skip
@click.option("--surge", default=2.0, show_default=True, type=click.FloatRange(1, 10),
              help="Times that rate, for a third of the time (generated load only).")  # fmt: skip
@click.option("--seed", default=7, show_default=True, help="Of the generated trace.")
@click.option("--folder", default=Path(".flyball/demo"), show_default=True,
              type=click.Path(path_type=Path), help="Fleet files, logs and ledgers.")  # fmt: skip
@click.option("--kill/--no-kill", "kills", default=True, show_default=True,
              help="Kill one engine of each fleet on the way.")  # fmt: skip
@click.option("--alone", is_flag=True, help="The governed fleet only.")
@click.option("--cliff/--no-cliff", "steers", default=True, show_default=True,
              help="Steer a third, small fleet toward its cliff: what comes first?")  # fmt: skip
def command(
    trace: Path | None,
    seconds: float,
    rate: float,
    surge: float,
    seed: int,
    folder: Path,
    kills: bool,
    alone: bool,
    steers: bool,
) -> None:
    """Run two fleets, the gateway and real traffic on this machine: governed, and not.

    Three sites, two jurisdictions, four unlike replicas in each fleet; no GPU, no network.
    """
    rows = _rows(trace, seconds, rate, surge, seed)
    begun = time.time()
    with ExitStack() as stack:
        governed = Fleet(stack, folder, "enforce")
        _say(f"gateway: {governed.url}/v1 (fleet file {folder / 'fleet.yaml'})")
        other = None if alone else Fleet(stack, folder / "independent", "observe")
        from flyball.cli.demo_contrast import contrast
        from flyball.cli.demo_output import calls, show

        for line in calls(governed.url, API_KEY, MODEL):
            _say(f"  {line}")
        if kills:
            at_s = seconds * KILL_AT_SHARE
            _say(f"after {at_s:.0f} s the engine {VICTIM} is killed (SIGKILL) in each fleet")
        fleets = [governed] if other is None else [governed, other]
        asyncio.run(_drive(fleets, rows, seconds, kills))
        assert governed.report is not None
        show(governed.report, governed.boards, governed.ledger, begun)
        if other is not None and other.report is not None:
            click.echo(contrast(governed.report, governed.answers, other.report, other.answers))
    if steers:
        from flyball.cli.demo_cliff import cliff, told

        click.echo(told(cliff(folder / "cliff", seed)))
    _say(f"The ledger stays in {folder / 'ledger'}. Next:")
    _say(f"  flyball explain --last-refused --log {folder / 'ledger'}")
    _say(f"  flyball serve {folder / 'fleet.yaml'}   # then point any OpenAI client at it")


async def _drive(fleets: list[Fleet], rows: list[TraceRow], seconds: float, kills: bool) -> None:
    """The same requests to each fleet at the same times."""
    from flyball.cli.replay_output import show_progress

    kill_after_s = seconds * KILL_AT_SHARE if kills else None
    with show_progress(seconds) as progress:
        first, *others = fleets
        await asyncio.gather(
            first.drive(rows, kill_after_s, progress),
            *(fleet.drive(rows, kill_after_s, lambda _: None) for fleet in others),
        )


def _rows(
    trace: Path | None, seconds: float, rate: float, surge: float, seed: int
) -> list[TraceRow]:
    """The trace given, compressed to the time and thinned to the rate; else a generated one."""
    if trace is None:
        return _generated(seconds, rate, surge, seed)
    from flyball.dialects.traces import scale
    from flyball.dialects.traces.row import Tally, TraceError
    from flyball.serve.load import tracefile

    count = int(seconds * rate)
    try:
        form = tracefile.detect(trace)
        found = list(scale.head(tracefile.rows(trace, form, Tally()), count))
    except (TraceError, OSError) as error:
        raise DemoFault(str(error)) from None
    if not found:
        raise DemoFault(f"{trace} holds no request. Give another --trace.")
    begin, span = found[0].at_s, max(1e-9, found[-1].at_s - found[0].at_s)
    _say(f"load: the first {len(found)} requests of {trace} ({form}), {span / seconds:.1f}x faster")
    return [_moved(row, (row.at_s - begin) * seconds / span) for row in found]


def _generated(seconds: float, rate: float, surge: float, seed: int) -> list[TraceRow]:
    """Load by published statistics, and on top of it, for a while, more of the same."""
    from flyball.sim.workload import generate

    mix = {"chat": 0.5, "dialog": 0.2, "agent": 0.15, "edge": 0.15}
    rows = generate(seed, seconds, rate, mix)
    from_s, lasts_s = seconds * SURGE_FROM_SHARE, seconds * SURGE_SHARE
    said = ""
    if surge > 1.0:
        more = generate(seed + 1, lasts_s, rate * (surge - 1.0), mix)
        rows += [_moved(row, from_s + row.at_s, "surge-") for row in more]
        rows.sort(key=lambda row: row.at_s)
        said = f", {surge:g} times the rate from {from_s:.0f} s to {from_s + lasts_s:.0f} s"
    _say(f"load: {len(rows)} requests generated from published statistics (seed {seed}){said}")
    return rows


def _moved(row: TraceRow, at_s: float, prefix: str = "") -> TraceRow:
    from msgspec.structs import replace

    session = prefix + row.session if row.session else ""
    return replace(row, at_s=at_s, session=session)


def _say(text: str) -> None:
    click.echo(text, err=True)
