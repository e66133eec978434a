"""Do the policies give the answers that their own tests expect?

A document of tests (YAML, or JSON inside a bundle) has `defaults` for subject, circumstances and
place, named `places`, and `tests`: each names what differs and what it expects.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from flyball.authority.policy.cedar import CedarAuthority
from flyball.authority.policy.schema import nearest
from flyball.model.mandate import Approval
from flyball.model.verdict import Circumstances, Place, Subject, Verdict

CASES_MAX = 20_000
# What a test need not say. At that time (2026-01-01, UTC) nothing in particular happens.
_ALIKE: dict[str, dict[str, Any]] = {
    "subject": {"action": "infer", "principal": "somebody", "class_name": "any", "model": "any"},
    "circumstances": {"at": 1_767_225_600.0},
    "place": {
        "pool": "a-pool", "site": "a-site", "jurisdiction": "", "tier": "central",
        "accelerator": "any",
    },
}  # fmt: skip
_KINDS: dict[str, type[Struct]] = {
    "subject": Subject,
    "circumstances": Circumstances,
    "place": Place,
}
_KEYS = ("name", *_KINDS, "expect", "policies", "obligations")
_APPROVAL = {"id": "an-approval", "action_sha256": "", "policy_digest": ""}

Path = tuple[str | int, ...]


class CaseFault(Exception):
    """(path within the document, message, next step)."""

    def __init__(self, path: Path, message: str, next_step: str = "") -> None:
        super().__init__(path, message, next_step)
        self.path, self.message, self.next_step = path, message, next_step


class Case(Struct, frozen=True, kw_only=True):
    """One test; `policies` and `obligations` None = any. Approvals are for the policies in force
    where they name none."""

    name: str
    subject: Subject
    circumstances: Circumstances
    place: Place
    expect: Literal["allow", "deny"]
    policies: tuple[str, ...] | None = None
    obligations: tuple[str, ...] | None = None


class Judged(Struct, frozen=True):
    """A test's verdict, and what of it is not as expected (() = it passed)."""

    case: Case
    verdict: Verdict
    problems: tuple[str, ...]


def cases(data: Any) -> tuple[Case, ...]:
    """The tests of a document. Raises CaseFault with the place of the first mistake."""
    _known((), data, ("defaults", "places", "tests"))
    tests = data.get("tests")
    if not isinstance(tests, list) or not tests:
        raise CaseFault(("tests",), "no tests", "Write a list under `tests`.")
    if len(tests) > CASES_MAX:
        raise CaseFault(("tests",), f"more than {CASES_MAX} tests")
    return tuple(_case(data, number, given) for number, given in enumerate(tests))


def question(data: Any, path: Path = ()) -> tuple[Subject, Circumstances, Place]:
    """One question of a document of its own: the keys subject, circumstances and place."""
    _known(path, data, tuple(_KINDS))
    return (
        _built(path, "subject", {}, data),
        _built(path, "circumstances", {}, data),
        _built(path, "place", {}, data),
    )


def judge(asked: CedarAuthority, all_: tuple[Case, ...]) -> Iterator[Judged]:
    """Ask each."""
    for case in all_:
        known = _approved(case.circumstances, asked.digests)
        verdict = asked.decide(case.subject, known, case.place)
        (against,) = asked.mask(case.subject, (case.place,))
        yield Judged(case, verdict, tuple(_problems(case, verdict, against)))


def _problems(case: Case, verdict: Verdict, against: str) -> Iterator[str]:
    given = "allow" if verdict.allowed else "deny"
    if given != case.expect:
        by = ", ".join(verdict.policies)
        by = by or ("an error" if verdict.errors else "nothing permits it")
        yield f"expected {case.expect}, but it is {given} ({by})"
    for error in verdict.errors:
        yield f"error: {error}"
    if verdict.allowed and against:
        yield f"the mask is narrower than the decision: {against}"
    yield from _difference("policies", case.policies, verdict.policies)
    yield from _difference("obligations", case.obligations, verdict.obligations)


def _difference(what: str, wanted: tuple[str, ...] | None, found: tuple[str, ...]) -> Iterator[str]:
    if wanted is None or set(wanted) == set(found):
        return
    missing = [f"-{name}" for name in wanted if name not in found]
    extra = [f"+{name}" for name in found if name not in wanted]
    yield f"{what}: {' '.join(missing + extra)}"


def _approved(circumstances: Circumstances, digests: tuple[str, ...]) -> Circumstances:
    approvals = tuple(
        one if one.policy_digest else msgspec.structs.replace(one, policy_digest=digests[0])
        for one in circumstances.approvals
    )
    return msgspec.structs.replace(circumstances, approvals=approvals)


def _case(data: Mapping[str, Any], number: int, given: Any) -> Case:
    path: Path = ("tests", number)
    _known(path, given, _KEYS)
    expect = given.get("expect")
    if expect not in ("allow", "deny"):
        step = "Write `expect: allow` or `expect: deny`."
        raise CaseFault((*path, "expect"), f"{expect!r} is no answer", step)
    defaults = data.get("defaults", {})
    _known(("defaults",), defaults, tuple(_KINDS))
    places = data.get("places", {})
    if not isinstance(places, dict):
        raise CaseFault(("places",), "not a mapping of pools to their facts")
    return Case(
        name=str(given.get("name", f"test {number + 1}")),
        subject=_built(path, "subject", defaults, given),
        circumstances=_built(path, "circumstances", defaults, given),
        place=_built(path, "place", defaults, given, places),
        expect=expect,
        policies=_names(path, given, "policies"),
        obligations=_names(path, given, "obligations"),
    )


def _names(path: Path, given: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise CaseFault((*path, key), "not a list of names")


def _built(
    path: Path,
    kind: str,
    defaults: Mapping[str, Any],
    given: Mapping[str, Any],
    places: Mapping[str, Any] | None = None,
) -> Any:
    """Subject, circumstances or place of a test: its own fields over the defaults over ours."""
    fields = dict(_ALIKE[kind])
    sources = (((("defaults", kind)), defaults.get(kind)), ((*path, kind), given.get(kind)))
    for at, source in sources:
        if kind == "place" and isinstance(source, str):
            at, source = _named_place(at, source, places or {})
        if source is not None:
            _known(at, source, _KINDS[kind].__struct_fields__)
            fields |= source
    if kind == "circumstances":
        fields = _timed((*path, kind), fields)
    try:
        return msgspec.convert(fields, _KINDS[kind])
    except msgspec.ValidationError as error:
        raise CaseFault((*path, kind), str(error)) from None


def _named_place(at: Path, name: str, places: Mapping[str, Any]) -> tuple[Path, Any]:
    if name not in places:
        raise CaseFault(at, f"there is no place {name!r}", nearest(name, tuple(map(str, places))))
    path = ("places", name)
    _known(path, places[name], Place.__struct_fields__)
    return path, {"pool": name} | places[name]


def _timed(path: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """Times may be written as RFC 3339 says; an approval needs only its person."""
    out = fields | {"at": _seconds((*path, "at"), fields["at"])}
    approvals = fields.get("approvals", [])
    if not isinstance(approvals, list):
        raise CaseFault((*path, "approvals"), "not a list of approvals")
    out["approvals"] = [
        _approval((*path, "approvals", number), one, out["at"])
        for number, one in enumerate(approvals)
    ]
    return out


def _approval(path: Path, given: Any, at: Any) -> dict[str, Any]:
    _known(path, given, Approval.__struct_fields__)
    fields = _APPROVAL | {"expires_at": at + 60 if isinstance(at, int | float) else at} | given
    return fields | {"expires_at": _seconds((*path, "expires_at"), fields["expires_at"])}


def _seconds(path: Path, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("it has no zone")
        return moment.timestamp()
    except ValueError as error:
        step = "Write Unix seconds, or as 2026-03-01T12:00:00Z."
        raise CaseFault(path, f"{value!r} is no time: {error}", step) from None


def _known(path: Path, given: Any, names: tuple[str, ...]) -> None:
    """Raises CaseFault for what is no mapping, or has a key of another name."""
    if not isinstance(given, dict):
        raise CaseFault(path, "not a mapping", f"Its keys may be: {', '.join(names)}.")
    for key in given:
        if key not in names:
            raise CaseFault((*path, key), f"unknown key {key!r}", nearest(str(key), names))
