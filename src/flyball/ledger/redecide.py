"""Does a recorded decision follow from the prices that were recorded with it?

The rule is taken again from the record alone (see `governor/request/pick.py`): each total is the
sum of its terms; the choice stands first; what could have been drawn is cheaper than all that could
not, in equal parts of one chance. Where one alone could be drawn, which is nearly always, the
choice is thereby computed again. A fall-back (a view too old or too far off) goes by loads, and the
record holds prices: of it only the form is checked.
"""

from collections.abc import Iterator, Sequence
from math import isclose
from typing import Literal

from flyball.model.decision import Candidate, Intent

How = Literal["computed", "drawn", "fallback"]
TOLERANCE = 1e-9  # numpy adds the terms in the same order, yet a compiled core may fuse them


def how(intent: Intent) -> How:
    """How far the choice is determined: fully, up to a draw among equals, or not by prices."""
    if intent.rule.startswith("fallback"):
        return "fallback"
    drawable = sum(candidate.propensity > 0 for candidate in intent.candidates)
    return "computed" if drawable == 1 and not _is_probe(intent) else "drawn"


def problems(intent: Intent) -> Iterator[str]:
    """What does not follow, as sentences; nothing if all of it does."""
    found = intent.candidates
    name = f"{intent.id}, attempt {intent.attempt}"
    if not found:
        yield f"{name}: it has no candidates."
        return
    if intent.mode != "observe" and intent.endpoint != found[0].endpoint:
        yield f"{name}: the rule chose {found[0].endpoint}, it went to {intent.endpoint}."
    if len({candidate.endpoint for candidate in found}) != len(found):
        yield f"{name}: an endpoint is priced twice."
    if len(found) > intent.candidates_count:
        yield f"{name}: {len(found)} candidates are kept of {intent.candidates_count}."
    for candidate in found:
        if not _adds_up(candidate):
            yield f"{name}: the total of {candidate.endpoint} is not the sum of its terms."
    yield from (f"{name}: {text}" for text in _by_rule(intent))


def _by_rule(intent: Intent) -> Iterator[str]:
    found, count = intent.candidates, intent.candidates_count
    if intent.rule.startswith("fallback"):
        if found[0].propensity != 1.0 or any(one.propensity for one in found[1:]):
            yield "a fall-back draws nothing, yet chances are written."
        return
    if intent.rule == "single" and count != 1:
        yield f"it was the only one of {count}."
    if _is_probe(intent):
        yield from _probed(found, count)
        return
    near = 0
    while near < len(found) and found[near].propensity > 0:
        near += 1
    drawable, others = found[:near], found[near:]
    if not drawable or any(one.propensity > 0 for one in others):
        yield "what could be drawn does not stand first."
        return
    dearest = max(one.total_usd for one in drawable)
    if any(one.total_usd < dearest for one in others):
        yield "an endpoint that could not be drawn was cheaper than one that could."
    if not (_ascend(drawable[1:]) and _ascend(others)):
        yield "the candidates are not in the order of their prices."
    if len({one.propensity for one in drawable}) != 1 or found[0].propensity > 1 / near + TOLERANCE:
        yield f"{near} could be drawn, but not in equal parts of one chance."


def _probed(found: Sequence[Candidate], count: int) -> Iterator[str]:
    """Uniform over the open ones: a share of at most 1 of `count`, whatever the others cost."""
    if not 0 < found[0].propensity <= 1 / count + TOLERANCE:
        yield f"a probe over {count} has not the chance {found[0].propensity:g}."
    if any(one.propensity for one in found[1:]) or not _ascend(found[1:]):
        yield "a probe draws one alone, the others by price."


def _is_probe(intent: Intent) -> bool:
    """A probe by its rule; a hedged copy may be one too, and then its arm alone tells."""
    if intent.rule == "probe":
        return True
    return intent.rule == "hedge" and intent.probe_arm == "explore"


def _ascend(found: Sequence[Candidate]) -> bool:
    return all(found[i].total_usd <= found[i + 1].total_usd for i in range(len(found) - 1))


def _adds_up(one: Candidate) -> bool:
    terms = (one.lateness_usd, one.externality_usd, one.resource_usd)
    scale = max(map(abs, terms))
    total = terms[0] + terms[1] + terms[2]
    return isclose(total, one.total_usd, rel_tol=TOLERANCE, abs_tol=TOLERANCE * scale)
