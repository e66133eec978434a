"""On whose behalf did a request run: the chain to a named human, in plain words?"""

from collections.abc import Iterable, Sequence

from flyball.ledger.entitled import voids
from flyball.ledger.section import Section, Table, utc
from flyball.model.acts import BundleSet, MandateSet, RevocationSet
from flyball.model.decision import Intent, Record, Warrant
from flyball.model.mandate import subjects_named
from flyball.units import Seconds

_SHORT = 16


def acts_about(intent: Intent, acts: Iterable[Record]) -> list[Record]:
    """Those acts that the intent's authority is made of, or was ended by, in the order of time."""
    warrant = intent.warrant
    if not isinstance(warrant, Warrant):
        return []
    chain, bundles = set(warrant.chain), set(warrant.bundles)
    subjects = subjects_named(warrant.human, warrant.session) if warrant.human else ()
    found: list[Record] = []
    for act in acts:
        if isinstance(act, MandateSet):
            is_one = act.chain[-1] in chain
        elif isinstance(act, RevocationSet):
            is_one = bool(chain.intersection(act.ids)) or any(
                voids(act, subject, warrant) for subject in subjects
            )
        else:
            is_one = isinstance(act, BundleSet) and act.in_force and act.digest in bundles
        if is_one:
            found.append(act)
    return sorted(found, key=lambda act: act.at)


def authority_section(intent: Intent, acts: Sequence[Record]) -> Section:
    """Who stood behind it, step by step, by what the intent and the acts say."""
    heading = "On whose behalf"
    warrant = intent.warrant
    if not isinstance(warrant, Warrant):
        return Section(heading, ("No mandate is recorded: an opaque key, and no policy, spoke.",))
    lines = [_first(warrant, intent)]
    rows = [_step(depth, one, acts) for depth, one in enumerate(warrant.chain, 1)]
    if warrant.holder:
        lines.append(f"The caller showed possession of the key {warrant.holder}.")
    for act in acts:
        lines += _told(act, intent.at)
    if warrant.approvals:
        lines.append(f"Approved by hand: {', '.join(warrant.approvals)}.")
    if warrant.policies:
        lines.append(f"Allowed by policy {', '.join(warrant.policies)}.")
    unseen = [digest for digest in warrant.bundles if not _knows(acts, digest)]
    if unseen:
        lines.append(f"Policy bundles asked: {', '.join(map(_short, unseen))}.")
    if warrant.obligations:
        lines.append(f"On condition: {', '.join(warrant.obligations)}.")
    if warrant.reserved_micro_usd:
        usd = warrant.reserved_micro_usd / 1e6
        lines.append(f"${usd:.6f} of the mandate's budget was set aside for it.")
    table = Table(("step", "block", "recorded"), tuple(rows)) if rows else None
    return Section(heading, tuple(lines), table)


def _first(warrant: Warrant, intent: Intent) -> str:
    if not warrant.human:
        return f"No human is named: {warrant.actor or intent.principal} acted by an opaque key."
    actor = warrant.actor or intent.principal
    if actor == warrant.human:
        return f"{warrant.human} acted in person."
    return f"{actor} acted on behalf of {warrant.human}, over {len(warrant.chain)} signed steps."


def _step(depth: int, block: str, acts: Sequence[Record]) -> tuple[str, str, str]:
    known = next(
        (act for act in acts if isinstance(act, MandateSet) and act.chain[-1] == block), None
    )
    if known is None:
        return str(depth), _short(block), "passed on outside of this gateway: signed, not recorded"
    to = known.delegates[-1] if known.delegates else known.human
    until = f", until {utc(known.expires_at)}" if known.expires_at else ""
    return str(depth), _short(block), f"{known.act} by {known.by} to {to} at {utc(known.at)}{until}"


def _told(act: Record, at: Seconds) -> list[str]:
    if isinstance(act, BundleSet):
        by = f" by {act.by}" if act.by else ""
        return [
            f"The {act.role} bundle {_short(act.digest)}, version {act.version}, signed by "
            f"{', '.join(act.signers) or 'nobody'}, was put in force{by} at {utc(act.at)}."
        ]
    if isinstance(act, RevocationSet):
        when = "before it was placed" if act.at <= at else "after it was placed"
        what = f"all of {', '.join(act.subjects)}" if act.subjects else "the mandate"
        return [f"{act.by} revoked {what} at {utc(act.at)}, {when}: {act.reason}."]
    return []


def _knows(acts: Sequence[Record], digest: str) -> bool:
    return any(isinstance(act, BundleSet) and act.digest == digest for act in acts)


def _short(name: str) -> str:
    head = name.removeprefix("sha256:")
    return head if len(head) <= _SHORT else f"{head[:_SHORT]}…"
