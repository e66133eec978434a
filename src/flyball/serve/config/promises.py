"""Can each class's promise be kept anywhere at all, and may it run anywhere?

The bounds are those of an idle replica that gets a prompt of one token: a first token costs the
site's round trip + the request's overhead + one step with prefill; each later one a decode step.
"""

from flyball.model.fleet import Fleet
from flyball.model.profile import Profile
from flyball.model.request import Principal, RequestClass
from flyball.serve.config.errors import listed
from flyball.serve.config.text import Document, Path
from flyball.units import Seconds, ms_from_seconds


def check_promises(
    fleet: Fleet,
    classes: tuple[RequestClass, ...],
    principals: tuple[Principal, ...],
    document: Document,
) -> None:
    """Note classes with no place to run, and promises that no allowed pool can keep."""
    for klass in classes:
        _check_class(fleet, klass, document)
    by_name = {klass.name: klass for klass in classes}
    for party in principals:
        for name in party.classes or tuple(by_name):
            wanted = by_name.get(name)
            if wanted and _is_apart(party.jurisdictions, wanted.jurisdictions):
                document.fault(
                    ("principals", party.name, "jurisdictions"),
                    f"shares no jurisdiction with class {name!r}, so its requests are refused",
                    f"The class allows {listed(wanted.jurisdictions)}: add one, or take the class "
                    "from this principal.",
                    severity="warning",
                )


def _is_apart(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return bool(some) and bool(others) and not set(some) & set(others)


def _check_class(fleet: Fleet, klass: RequestClass, document: Document) -> None:
    path: Path = ("classes", klass.name)
    allowed = [
        (pool.name, pool.profile, fleet.site_of(pool).rtt_s)
        for pool in fleet.pools
        if not klass.jurisdictions or fleet.site_of(pool).jurisdiction in klass.jurisdictions
    ]
    if not allowed:
        document.fault(
            (*path, "jurisdictions"),
            "no pool stands in any jurisdiction of this class, so every request is refused",
            f"Pools stand in {listed(sorted({s.jurisdiction for s in fleet.sites}))}: allow one, "
            "or add a pool.",
        )
        return
    promise, away_s = klass.promise, klass.client_rtt_s
    tokens = klass.output_tokens_mean
    firsts = [(first_token_s(profile, rtt_s), name) for name, profile, rtt_s in allowed]
    laters = [(profile.decode_step_s(1.0, 1.0), name) for name, profile, _ in allowed]
    wholes = [
        (
            away_s + first_token_s(profile, rtt_s) + (tokens - 1) * profile.decode_step_s(1.0, 1.0),
            name,
        )
        for name, profile, rtt_s in allowed
    ]
    _bound(document, (*path, "ttft_ms"), promise.ttft_s, min(firsts))
    _bound(document, (*path, "tpot_ms"), promise.tpot_s, min(laters))
    ends = [(first_s + away_s, pool) for first_s, pool in firsts]
    _bound(document, (*path, "e2e_ms"), promise.e2e_s, min(ends))
    if promise.e2e_s >= min(ends)[0]:
        about = f" for {tokens} tokens (output_tokens_mean)"
        _bound(document, (*path, "e2e_ms"), promise.e2e_s, min(wholes), about, is_warning=True)
    longest = max(promise.ttft_s, promise.e2e_s)
    if longest > klass.deadline_s and not klass.realtime:
        document.fault(
            (*path, "deadline_s"),
            f"requests end after {klass.deadline_s:g} s, before their promise of {longest:g} s",
            f"Give at least {longest:g}.",
        )
    if klass.gate_s_max > klass.deadline_s:
        document.fault(
            (*path, "queue_ms_max"),
            "requests may wait longer than their deadline",
            f"Give at most {ms_from_seconds(klass.deadline_s):g}.",
        )


def first_token_s(profile: Profile, rtt_s: Seconds) -> Seconds:
    """Least time to a first token at an idle replica, seconds (see the file's head)."""
    return rtt_s + profile.request_overhead_s + profile.mixed_step_s(0.0, 0.0, 1.0, 0.5)


def _bound(
    document: Document,
    path: Path,
    promised_s: Seconds,
    least: tuple[Seconds, str],
    about: str = "",
    *,
    is_warning: bool = False,
) -> None:
    if promised_s <= 0 or promised_s >= least[0]:
        return
    document.fault(
        path,
        f"no allowed pool can do this{about}: {least[1]!r}, the nearest, needs "
        f"{ms_from_seconds(least[0]):.3g} ms when idle",
        "Promise more time, allow another jurisdiction, or add a nearer or faster pool.",
        severity="warning" if is_warning else "error",
    )
