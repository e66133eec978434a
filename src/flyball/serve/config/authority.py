"""Under which policies, and on whose word, does this gateway let requests through?

Policies of the operator's own stand in files beside the fleet file, and are trusted as it is. Keys
of mandates' roots say whose tokens are believed.
"""

from pathlib import Path as FilePath
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from flyball.governor.policy import AuthorityRules, Policy
from flyball.serve.config.bundles import BundleSettings, BundlesSection, read_bundles
from flyball.serve.config.text import Document, Path
from flyball.units import Seconds

KEY = r"^ed25519:[A-Za-z0-9_-]{43}$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
PLACE = r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$"
NUMBER = r"^[0-9]{1,9}$"
FILES_MAX = 256
TEXT_BYTES_MAX = 4 << 20
_RULES = AuthorityRules()

Key = Annotated[str, Meta(pattern=KEY)]
Name = Annotated[str, Meta(pattern=NAME)]
Place = Annotated[str, Meta(pattern=PLACE)]
File = Annotated[str, Meta(min_length=1, extra_json_schema={"x-env": True})]
Files = Annotated[tuple[File, ...], Meta(max_length=FILES_MAX)]
NotNegative = Annotated[float, Meta(ge=0)]


class PoliciesSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One set of policies: Cedar text and what it speaks of."""

    files: Annotated[Files, Meta(description="Cedar files, relative to the fleet file.")]
    entities: Annotated[
        File | None, Meta(description="JSON file: jurisdictions, model families, roles.")
    ] = None


class AuthoritySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policies and mandates. All sets of policies must allow a request."""

    policies: Annotated[
        dict[Name, PoliciesSection],
        Meta(max_length=8, description="By name, such as `workload` and `site`, in this order."),
    ] = {}
    bundles: Annotated[
        BundlesSection, Meta(description="Policy bundles, from files or registries.")
    ] = BundlesSection()
    bundle_folder: Annotated[
        File, Meta(description="Where the bundles last in force are kept; remembers versions.")
    ] = "bundles"
    roots: Annotated[
        dict[Annotated[str, Meta(pattern=NUMBER)], Key],
        Meta(max_length=64, description="Keys whose mandates are believed, by their number."),
    ] = {}
    approvers: Annotated[
        dict[Name, Key], Meta(max_length=1024, description="Who may approve, by name.")
    ] = {}
    jurisdictions: Annotated[
        dict[Place, Place],
        Meta(max_length=1024, description="What a jurisdiction lies in: `DE: EU`."),
    ] = {}
    bound_data_classes: Annotated[
        tuple[Name, ...],
        Meta(description="Data for which a mandate's holder must show a key."),
    ] = ()
    feed_age_s: Annotated[
        dict[Name, NotNegative],
        Meta(
            max_length=64,
            description="By data class: how long a feed of revocations may be silent, s. Empty = "
            "special 5, personal 60, public 3600.",
        ),
    ] = {}
    skew_s: Annotated[NotNegative, Meta(description="How far clocks may be apart, s.")] = (
        _RULES.skew_s
    )
    public_url: Annotated[
        str, Meta(description="Scheme and host by which clients come. Empty = as they say.")
    ] = ""


class PolicyTexts(Struct, frozen=True, kw_only=True):
    """One set of policies as read: its name, texts by file, entities, digest.

    Of a bundle: its role, its version, the names of its signers, and when it expires (0 = never).
    A set without texts is void, and forbids everything.
    """

    name: str
    texts: dict[str, str]
    entities: str
    digest: str
    role: str = ""
    version: int = 0
    signers: tuple[str, ...] = ()
    expires_at: Seconds = 0.0


class AuthoritySettings(Struct, frozen=True, kw_only=True):
    """What a process needs to judge; keys as text."""

    policies: tuple[PolicyTexts, ...] = ()
    roots: dict[str, str] = {}
    approvers: dict[str, str] = {}
    jurisdictions: dict[str, str] = {}
    public_url: str = ""
    bundles: dict[str, BundleSettings] = {}
    bundle_folder: str = ""


NOTHING = AuthoritySettings()


def read_authority(
    section: AuthoritySection | None, folder: FilePath, document: Document
) -> AuthoritySettings:
    """The section with its files read and its policies checked; faults are noted."""
    if section is None:
        return NOTHING
    _check_places(section.jurisdictions, document)
    found = [
        made
        for name, part in section.policies.items()
        if (made := _read_set(name, part, folder, document)) is not None
    ]
    if section.roots and not section.public_url and section.bound_data_classes:
        path = ("authority", "public_url")
        step = "Give https://HOST as clients call it, so that proofs for other hosts are refused."
        message = "proofs of keys are held against whatever host a client names"
        document.fault(path, message, step, severity="warning")
    return AuthoritySettings(
        policies=tuple(found),
        roots=section.roots,
        approvers=section.approvers,
        jurisdictions=section.jurisdictions,
        public_url=section.public_url.rstrip("/"),
        bundles=read_bundles(section.bundles, folder, document),
        bundle_folder=str(folder / section.bundle_folder),
    )


def _check_places(lies_in: dict[str, str], document: Document) -> None:
    for place in lies_in:
        seen, above = {place}, lies_in.get(place)
        while above is not None:
            if above in seen:
                step = "A jurisdiction lies in larger ones only: take one of these lines out."
                path = ("authority", "jurisdictions", place)
                document.fault(path, f"{place!r} lies in itself, by way of {above!r}", step)
                break
            seen.add(above)
            above = lies_in.get(above)


def _read_set(
    name: str, section: PoliciesSection, folder: FilePath, document: Document
) -> PolicyTexts | None:
    path: Path = ("authority", "policies", name)
    texts: dict[str, str] = {}
    for file in section.files:
        text = _read(folder / file, (*path, "files"), document)
        if text is None:
            return None
        texts[file] = text
    entities = "[]"
    if section.entities is not None:
        text = _read(folder / section.entities, (*path, "entities"), document)
        if text is None:
            return None
        entities = text
    digest = _checked(texts, entities, section.entities or "entities.json", path, document)
    if not digest:
        return None
    return PolicyTexts(name=name, texts=texts, entities=entities, digest=digest)


def _read(file: FilePath, path: Path, document: Document) -> str | None:
    try:
        with file.open("rb") as stream:
            return stream.read(TEXT_BYTES_MAX).decode()
    except OSError as fault:
        document.fault(path, f"{file}: {fault.strerror or fault}", "Name a file that can be read.")
    except UnicodeDecodeError:
        document.fault(path, f"{file} is not UTF-8", "Save it as UTF-8 text.")
    return None


def _checked(
    texts: dict[str, str], entities: str, source: str, path: Path, document: Document
) -> str:
    """The digest of the set, or "" and what is wrong with it."""
    from flyball.authority.policy.policies import PolicyErrors, load

    try:
        return load(texts, entities, entities_source=source).digest
    except ModuleNotFoundError:
        step = "pip install 'flyball[governance]', or take `authority.policies` out."
        document.fault(path, "the policy engine is not installed", step)
    except PolicyErrors as errors:
        step = "flyball policy check names every place."
        document.fault(path, str(errors.faults[0]), step)
    return ""


def with_authority(policy: Policy, section: AuthoritySection | None) -> Policy:
    """The policy, under which mandates must show what the file says."""
    if section is None:
        return policy
    ages: tuple[tuple[str, Seconds], ...] = tuple(section.feed_age_s.items())
    rules = msgspec.structs.replace(
        policy.authority,
        bound_data_classes=section.bound_data_classes,
        skew_s=section.skew_s,
        feed_age_s=ages or _RULES.feed_age_s,
        requires_mandate=bool(section.roots),
        jurisdictions=tuple(section.jurisdictions.items()),
    )
    return msgspec.structs.replace(policy, authority=rules)
