"""What does an AuthZEN 1.0 question mean here, and how is a verdict told in its words?

`subject` = who acts (`id`, and facts in `properties`), `action.name` = one of ours, `resource` =
the model asked for (`type` "model") with the place in `properties`, or a pool of this fleet (`type`
"pool"), `context` = what differs from call to call. A fact of a wrong kind is no fact: it is
refused, not passed over.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from flyball.governor.authority import Authority
from flyball.model.verdict import Action, Circumstances, Place, Subject, Verdict
from flyball.units import Seconds

BATCH_MAX = 256
ACTIONS: tuple[str, ...] = get_args(Action)
Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]
PlaceOf = Callable[[str], Place | None]


class QuestionError(ValueError):
    """It is no question; the message says what is wrong with it."""


class _Party(Struct, frozen=True, kw_only=True):
    type: str
    id: str
    properties: dict[str, Any] = {}


class _Named(Struct, frozen=True, kw_only=True):
    name: str
    properties: dict[str, Any] = {}


class Question(Struct, frozen=True, kw_only=True):
    """One evaluation, as the specification has it."""

    subject: _Party
    action: _Named
    resource: _Party
    context: dict[str, Any] = {}


class _Options(Struct, frozen=True, kw_only=True):
    evaluations_semantic: Semantic = "execute_all"


class _Batch(Struct, frozen=True, kw_only=True):
    evaluations: list[dict[str, Any]] = []
    options: _Options = _Options()
    subject: dict[str, Any] | None = None
    action: dict[str, Any] | None = None
    resource: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


def evaluate(body: bytes, authority: Authority, place_of: PlaceOf, at: Seconds) -> dict[str, Any]:
    """The answer to one question. `place_of` knows this fleet's pools. Raises QuestionError."""
    return _answer(_read(body, Question), authority, place_of, at)


def evaluate_all(
    body: bytes, authority: Authority, place_of: PlaceOf, at: Seconds
) -> dict[str, Any]:
    """The answers to a batch, in order; each question may leave out what the batch says for all.

    With `deny_on_first_deny` or `permit_on_first_permit` the answers end there. A question that is
    none is answered with a no that says so. Without `evaluations`: one question, one answer.
    """
    batch = _read(body, _Batch)
    shared = {
        name: value
        for name in ("subject", "action", "resource", "context")
        if (value := getattr(batch, name)) is not None
    }
    if not batch.evaluations:
        return _answer(_converted(shared), authority, place_of, at)
    if len(batch.evaluations) > BATCH_MAX:
        raise QuestionError(f"a batch has at most {BATCH_MAX} evaluations")
    answers: list[dict[str, Any]] = []
    ends_on = {"deny_on_first_deny": False, "permit_on_first_permit": True}
    for one in batch.evaluations:
        try:
            answer = _answer(_converted({**shared, **one}), authority, place_of, at)
        except QuestionError as error:
            answer = _no("bad_request", str(error))
        answers.append(answer)
        if ends_on.get(batch.options.evaluations_semantic) is answer["decision"]:
            break
    return {"evaluations": answers}


def _answer(
    question: Question, authority: Authority, place_of: PlaceOf, at: Seconds
) -> dict[str, Any]:
    subject, place = subject_of(question), _place(question, place_of)
    if place is None:
        return _no("unknown_pool", f"no pool is named {question.resource.id!r}")
    circumstances = _facts(question.context, Circumstances, {"at": at})
    return told(authority.decide(subject, circumstances, place))


def subject_of(question: Question) -> Subject:
    """Who acts on what, in our words. Raises QuestionError."""
    if question.action.name not in ACTIONS:
        raise QuestionError(f"action.name is one of {', '.join(ACTIONS)}")
    resource = question.resource
    given = {
        **{k: v for k, v in question.context.items() if _folded(k) in _SUBJECT_NAMES},
        **question.action.properties,
        **question.subject.properties,
    }
    model = resource.id if resource.type == "model" else resource.properties.get("model", "")
    fixed = {"action": question.action.name, "principal": question.subject.id, "model": model}
    return _facts({"class_name": "", **given}, Subject, fixed)


def told(verdict: Verdict) -> dict[str, Any]:
    """A verdict as an AuthZEN decision: reasons and obligations stand in its context."""
    context: dict[str, Any] = {
        "policies": verdict.policies,
        "bundles": verdict.bundles,
        "obligations": [{"id": one} for one in verdict.obligations],
    }
    if not verdict.allowed:
        reasons = verdict.errors or verdict.policies or ("no policy allows this",)
        context["reason_admin"] = {"en": "; ".join(reasons)}
        context["reason_user"] = {"en": "Policy does not allow this."}
    return {"decision": verdict.allowed, "context": context}


def _place(question: Question, place_of: PlaceOf) -> Place | None:
    resource = question.resource
    if resource.type == "pool":
        return place_of(resource.id)
    if resource.type != "model":
        raise QuestionError("resource.type is model or pool")
    pool = resource.properties.get("pool")
    if isinstance(pool, str) and (known := place_of(pool)) is not None:
        return known
    unknown = {"pool": "", "site": "", "jurisdiction": "", "tier": "", "accelerator": ""}
    return _facts({**unknown, **resource.properties}, Place, {})


def _facts(given: Mapping[str, Any], kind: Any, fixed: dict[str, Any]) -> Any:
    """A struct of what is given for its fields, in any spelling of their names."""
    names = {one.replace("_", "").lower(): one for one in kind.__struct_fields__}
    found = {names[k]: v for key, v in given.items() if (k := _folded(key)) in names}
    try:
        return msgspec.convert({**found, **fixed}, kind)
    except msgspec.ValidationError as error:
        raise QuestionError(f"{kind.__name__.lower()}: {error}") from None


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


_SUBJECT_NAMES = frozenset(_folded(name) for name in Subject.__struct_fields__)


def _read(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise QuestionError(str(error)) from None


def _converted(value: Mapping[str, Any]) -> Question:
    try:
        return msgspec.convert(value, Question)
    except msgspec.ValidationError as error:
        raise QuestionError(str(error)) from None


def _no(code: str, text: str) -> dict[str, Any]:
    return {"decision": False, "context": {"error": {"status": 400, "code": code, "message": text}}}
