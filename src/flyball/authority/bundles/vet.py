"""May this bundle come into force here?

What must be shown is the receiver's word alone: a field inside the bundle can only add to it (a
bundle that says it needs no signature is what a forger would send). What it says must hold as
well: its policies are valid here, and give the answers that its own tests expect.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from flyball.authority.bundles.archive import (
    ENTITIES,
    LIMITS,
    OBLIGATIONS,
    POLICIES,
    SCHEMA,
    TESTS,
    BundleError,
)
from flyball.authority.bundles.bundle import PAYLOAD_TYPE, Bundle, Manifest
from flyball.authority.bundles.ceilings import Ceilings, check_ceilings
from flyball.authority.bundles.dsse import signed_by
from flyball.authority.policy.policies import PolicySet, load
from flyball.authority.policy.schema import schema_text
from flyball.authority.policy.source import PolicyErrors
from flyball.units import Seconds

# What this governor does by itself where a permit obliges it to.
MET_HERE = ("record-before-release", "record-async")
Kind = TypeVar("Kind")
_ENGINE = re.compile(r"cedar>=(\d{1,4})\.(\d{1,4})")


class Obligation(Struct, frozen=True, forbid_unknown_fields=True):
    """Who meets it: "governor" = must be met here, "caller" = told in the answer's record."""

    by: str = "governor"
    basis: str = ""


class Demands(Struct, frozen=True, kw_only=True):
    """What the receiver wants to be shown.

    `least` of `signers` (public keys by name) must have signed; () and 0 = nobody need have.
    `check_proof` raises BundleError unless the bundle is in a log that is believed; None = not
    asked for. `tenant` "" = any.
    """

    signers: dict[str, str] = {}
    least: int = 0
    tenant: str = ""
    check_proof: Callable[[Bundle], None] | None = None


class Vetted(Struct, frozen=True, kw_only=True):
    """A bundle that may come into force: its policies, its limits, and who signed it (names)."""

    bundle: Bundle
    policy_set: PolicySet
    ceilings: Ceilings
    signers: tuple[str, ...]


def vet(bundle: Bundle, demands: Demands, at: Seconds, before: Manifest | None = None) -> Vetted:
    """Raises BundleError with the first reason why not. `before` = the newest seen until now.

    `at` = Unix time. What shows who made it is checked before anything of it is read.
    """
    signers = check_signers(bundle, demands)
    if demands.check_proof is not None:
        demands.check_proof(bundle)
    if demands.tenant and bundle.manifest.tenant != demands.tenant:
        raise BundleError("tenant", f"it is {bundle.manifest.tenant or 'nobody'}'s bundle")
    check_times(bundle.manifest, at)
    if before is not None:
        check_order(bundle, before)
    check_engine(bundle.manifest.required_engine)
    policy_set = check_policies(bundle)
    check_obligations(bundle, policy_set)
    ceilings = Ceilings()
    if LIMITS in bundle.content:
        ceilings = read_json(bundle, LIMITS, Ceilings, "limits")
        check_ceilings(ceilings)
    check_tests(bundle, policy_set)
    return Vetted(bundle=bundle, policy_set=policy_set, ceilings=ceilings, signers=signers)


def check_signers(bundle: Bundle, demands: Demands) -> tuple[str, ...]:
    """Names of the believed keys that signed it; BundleError if they are too few."""
    least, known = demands.least, demands.signers
    if len(set(known.values())) != len(known):
        raise BundleError("signed_twice", "one key is named twice among the signers")
    keys: tuple[str, ...] = ()
    if bundle.envelope:
        keys = signed_by(bundle.envelope, PAYLOAD_TYPE, bundle.statement())
    found = tuple(name for name, key in known.items() if key in keys)
    if len(found) < least:
        told = "it is not signed" if not keys else f"{len(found)} known keys signed it"
        step = f"{least} of {', '.join(demands.signers)} must: flyball bundle sign."
        raise BundleError("unsigned" if not keys else "signers", f"{told}, not {least}", step)
    own = bundle.manifest.requires
    if least and len(set(keys) & set(own.signers)) < own.least:
        message = f"it says itself that {own.least} of {len(own.signers)} keys must have signed"
        raise BundleError("signers", message, "Take it from its publisher again.")
    return found


def check_times(manifest: Manifest, at: Seconds) -> None:
    """Raises BundleError before it holds, and from the time on at which it expires."""
    if at < manifest.not_before_at:
        raise BundleError("not_yet_valid", f"it holds from {manifest.not_before} on")
    if at >= manifest.expires_at:
        raise BundleError("expired", f"it expired at {manifest.expires}", "Get a newer version.")


def check_order(bundle: Bundle, before: Manifest) -> None:
    """Raises BundleError for a version below the newest seen, or another bundle altogether."""
    now = bundle.manifest
    if (now.name, now.tenant) != (before.name, before.tenant):
        other = f"it is {_called(now)}, and {_called(before)} was in force here"
        step = "If that is meant, delete the kept bundle of that role."
        raise BundleError("other_bundle", other, step)
    if now.version < before.version:
        message = f"version {now.version} is older than {before.version}, which was seen here"
        raise BundleError("rollback", message, "Publish it as a new version.")
    if now.version == before.version and now != before:
        message = f"version {now.version} was something else before"
        raise BundleError("rollback", message, "Publish it as a new version.")


def check_engine(required: str) -> None:
    """Raises BundleError unless the policy engine here is the one required, or newer."""
    from importlib.metadata import version

    found = _ENGINE.fullmatch(required)
    if found is None:
        step = "cedar>=MAJOR.MINOR is understood."
        raise BundleError("engine", f"it needs the engine {required!r}, unknown here", step)
    here = version("cedarpy")
    major, minor = (int(part) for part in here.split(".")[:2])
    if major != int(found[1]) or minor < int(found[2]):
        step = "Install a cedarpy of that version."
        raise BundleError("engine", f"it needs {required}; here is cedar {here}", step)


def check_policies(bundle: Bundle) -> PolicySet:
    """Its policies, valid under this governor's schema and under its own."""
    from cedarpy import Schema, validate_policies

    text = bundle.text(POLICIES)
    try:
        found = load({POLICIES: text}, bundle.text(ENTITIES), digest=bundle.digest)
    except PolicyErrors as errors:
        step = "flyball policy check names every place."
        raise BundleError("policies", str(errors.faults[0]), step) from None
    if bundle.text(SCHEMA) != schema_text():
        try:
            faults = validate_policies(text, Schema.from_str(bundle.text(SCHEMA))).errors
        except ValueError as error:
            raise BundleError("schema", f"{SCHEMA}: {error}") from None
        if faults:
            raise BundleError("schema", f"by its own schema: {faults[0].error}")
    return found


def check_obligations(bundle: Bundle, policy_set: PolicySet) -> None:
    """Raises BundleError for an obligation that nobody is named to meet, or that cannot be met."""
    named = {name for rule in policy_set.rules for name in rule.obligations}
    stated = dict[str, Obligation]()
    if OBLIGATIONS in bundle.content:
        stated = read_json(bundle, OBLIGATIONS, dict[str, Obligation], "obligations")
    for name in sorted(named):
        one = stated.get(name, Obligation())
        if one.by not in ("governor", "caller"):
            raise BundleError("obligations", f"{name}: {one.by!r} is nobody who could meet it")
        if one.by == "governor" and name not in MET_HERE:
            step = f'Write {{"{name}": {{"by": "caller"}}}} in {OBLIGATIONS} if others meet it.'
            raise BundleError("obligations", f"{name!r} cannot be met here", step)


def check_tests(bundle: Bundle, policy_set: PolicySet) -> None:
    """Raises BundleError for the first of its own tests that fails."""
    from flyball.authority.policy.cases import CaseFault, cases, judge
    from flyball.authority.policy.cedar import CedarAuthority

    try:
        stated = cases(read_json(bundle, TESTS, dict[str, Any], "tests"))
    except CaseFault as fault:
        spot = ".".join(map(str, fault.path))
        raise BundleError("tests", f"{TESTS}: {spot}: {fault.message}", fault.next_step) from None
    for one in judge(CedarAuthority((policy_set,)), stated):
        if one.problems:
            message = f"its own test {one.case.name!r} fails: {one.problems[0]}"
            raise BundleError("tests", message, "flyball policy test runs them all.")


def read_json(bundle: Bundle, name: str, kind: type[Kind], code: str) -> Kind:
    """A file of the bundle as that type. BundleError with `code` if it is not so."""
    try:
        return msgspec.json.decode(bundle.text(name), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            code, f"{name}: {error}", "docs/guide/bundles.md says what it holds."
        ) from None


def _called(manifest: Manifest) -> str:
    return f"{manifest.tenant}/{manifest.name}" if manifest.tenant else manifest.name
