"""What has become of the agents' sessions, and how often did each layer try again?"""

from collections.abc import Mapping

import numpy as np
from msgspec import Struct

from flyball.units import Seconds


class Tally(Struct):
    """One class's sessions so far. A step counts once, however often it is repeated."""

    begun: int = 0
    completed: int = 0
    failed: int = 0
    broken: int = 0
    turned_away: int = 0
    stopped: int = 0
    stopped_wrongly: int = 0
    runaways: int = 0
    circles: int = 0
    circle_tokens: int = 0
    wasted_tokens: int = 0
    steps: int = 0
    steps_cut: int = 0
    steps_broken: int = 0
    tool_failures: int = 0
    compactions: int = 0
    durations_s: list[Seconds] = []


class ProgramReport(Struct, frozen=True, kw_only=True):
    """One class of sessions over the whole run, warm-up included.

    `completed` = all their steps are; `failed` = a call was lost for good; `broken` = a step broke
    too often; `open` = under way at the end. `steps_cut` were answered from a cut context, and
    `steps_broken` of them had to be repeated. Durations of the completed ones, pauses included, s.
    Of the failed, `turned_away` were never answered a step and `stopped` were told that they go
    round in circles (`stopped_wrongly`: they did not); `runaways` of all did, and were answered
    `circles` steps, `circle_tokens` prompt and answer tokens, after they had begun to.
    `wasted_tokens` were spent on sessions that were answered some steps and then failed or broke.
    """

    name: str
    begun: int
    completed: int
    failed: int
    broken: int
    open: int
    steps: int
    steps_cut: int
    steps_broken: int
    tool_failures: int
    compactions: int
    completed_p50_s: Seconds
    completed_p99_s: Seconds
    turned_away: int = 0
    stopped: int = 0
    stopped_wrongly: int = 0
    runaways: int = 0
    circles: int = 0
    circle_tokens: int = 0
    wasted_tokens: int = 0


class Retries(Struct, frozen=True, kw_only=True):
    """Tries beyond the first, by the layer that made them: each multiplies those below it.

    `gateway` sends one request to another endpoint, or again; `sdk` sends the call again; `agent`
    calls the SDK again; `step` asks a broken step again, with more context.
    """

    gateway: int = 0
    sdk: int = 0
    agent: int = 0
    step: int = 0


def program_reports(tallies: Mapping[str, Tally]) -> tuple[ProgramReport, ...]:
    """What became of the sessions, class by class."""
    return tuple(_report(name, one) for name, one in tallies.items())


def _report(name: str, one: Tally) -> ProgramReport:
    spans = np.percentile(one.durations_s, [50, 99]) if one.durations_s else (0.0, 0.0)
    return ProgramReport(
        name=name,
        begun=one.begun,
        completed=one.completed,
        failed=one.failed,
        broken=one.broken,
        open=one.begun - one.completed - one.failed - one.broken,
        steps=one.steps,
        steps_cut=one.steps_cut,
        steps_broken=one.steps_broken,
        tool_failures=one.tool_failures,
        compactions=one.compactions,
        completed_p50_s=float(spans[0]),
        completed_p99_s=float(spans[1]),
        turned_away=one.turned_away,
        stopped=one.stopped,
        stopped_wrongly=one.stopped_wrongly,
        runaways=one.runaways,
        circles=one.circles,
        circle_tokens=one.circle_tokens,
        wasted_tokens=one.wasted_tokens,
    )
