"""The path of one control period: observe → estimate → steer → diagnose → price → publish.

`begin` walks up to the question put to the solver and steers health; `finish` takes its answer.
Between two answers `correct` moves the prices of budgets on what is really spent.
"""

from flyball.governor.commands import Command, Report
from flyball.governor.events import Solved
from flyball.governor.period import allowances, hold, observe
from flyball.governor.period.correct import trim
from flyball.governor.period.diagnose import diagnose
from flyball.governor.period.estimate import estimate
from flyball.governor.period.price import judge, pose
from flyball.governor.period.publish import publish
from flyball.governor.period.steer import steer
from flyball.governor.request import quote
from flyball.governor.state import State
from flyball.units import Seconds

__all__ = ["begin", "finish", "hold", "observe"]


def begin(state: State, at: Seconds, out: list[Command]) -> None:
    """A period begins."""
    if state.settled:
        settled = tuple(state.settled)
        state.settled.clear()
        out.append(Report(settled))
        if state.policy.role == "whole":
            observe.learn(state, settled)
    estimate(state, at)
    allowances.move(state, at, out)
    steer(state, at, out)
    if state.promises.open:
        quote.expire(state, at, out)
        quote.move(state, at)
    if state.policy.role == "worker":
        return
    diagnose(state, at, out)
    if state.policy.budgets:
        trim(state, at, out)
    pose(state, at, out)


def finish(state: State, event: Solved, out: list[Command]) -> None:
    """The solver answered: judge, smooth, publish."""
    board = judge(state, event, out)
    state.plans_refused = 0 if board is not None else state.plans_refused + 1
    if board is not None:
        publish(state, event.at, board, out)
