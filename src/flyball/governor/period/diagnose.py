"""Is something wrong with the view itself? (Structural diagnostics hang here as they are built.)"""

from flyball.governor.commands import Command, Notice
from flyball.governor.request.pick import UNTRUSTED_SHARE_MAX
from flyball.governor.state import State
from flyball.units import Seconds


def diagnose(state: State, at: Seconds, out: list[Command]) -> None:
    """Tell the operator once when the argmin is no longer believed, and once when it is again."""
    view = state.view
    view.audit_trust(at)
    limit = UNTRUSTED_SHARE_MAX * len(view.endpoints)
    cause = ""
    if view.stale_count > limit:
        cause = f"{view.stale_count} of {len(view.endpoints)} endpoints have stale metrics"
    elif view.mispredicted_count > limit:
        cause = f"{view.mispredicted_count} of {len(view.endpoints)} endpoints are mispredicted"
    if bool(cause) == state.distrusting:
        return
    state.distrusting = bool(cause)
    if cause:
        text = f"{cause}: placing by weighted least-request until the view can be believed"
        out.append(Notice("warning", "view-distrusted", text))
    else:
        out.append(Notice("info", "view-trusted", "placing by price again"))
