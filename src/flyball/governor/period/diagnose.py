"""Is something wrong with the view itself? (Structural diagnostics hang here as they are built.)"""

from flyball.governor.commands import Command, Notice
from flyball.governor.state import State
from flyball.units import Seconds


def diagnose(state: State, at: Seconds, out: list[Command]) -> None:
    """Tell the operator once when the argmin is no longer believed, and once when it is again."""
    view = state.view
    view.audit_trust(at)
    untrusted = view.untrusted
    counts = {"stale": view.stale_count, "mispredicted": view.mispredicted_count}
    what = {"stale": "have stale metrics", "mispredicted": "are mispredicted", "": ""}[untrusted]
    cause = f"{counts.get(untrusted, 0)} of {view.audited_count} endpoints {what}" if what else ""
    if bool(cause) == state.distrusting:
        return
    state.distrusting = bool(cause)
    if cause:
        text = f"{cause}: placing by weighted least-request until the view can be believed"
        out.append(Notice("warning", "view-distrusted", text))
    else:
        out.append(Notice("info", "view-trusted", "placing by price again"))
