"""Who may stop, override and revoke, which feeds are heard, and at which door do they knock?"""

from pathlib import Path as FilePath
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from flyball.authority.revocation.roles import Role
from flyball.governor.policy import Policy
from flyball.serve.config.text import Document, Path

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
KEY = r"^ed25519:[A-Za-z0-9_-]{43}$"
SHA256 = r"^[0-9a-fA-F]{64}$"
ACT = r"^(stop|resume|override|revoke)( [a-z]+(:.+)?)?$"
PEOPLE_MAX = 1024
FEEDS_MAX = 64

Name = Annotated[str, Meta(pattern=NAME)]
Key = Annotated[str, Meta(pattern=KEY)]
Expanded = Annotated[str, Meta(min_length=1, extra_json_schema={"x-env": True})]
Positive = Annotated[float, Meta(gt=0)]


class PersonSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person who may act on this governor, known by a key of their own."""

    role: Annotated[Role, Meta(description="What they may do: see docs/guide/oversight.md.")]
    key: Annotated[Key, Meta(description="Public key, as `flyball people new-key` prints it.")]


class FeedSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another governor whose revocations and stops hold here too, and which may read ours."""

    url: Annotated[Expanded, Meta(description="Base URL of that governor's `oversight` door.")]
    key: Annotated[Key, Meta(description="Public key of that site.")]
    ca: Annotated[
        Expanded | None, Meta(description="PEM file: CA of an https URL; absent = the system's.")
    ] = None


class IssuerSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An identity provider that may end people's sessions here."""

    issuer: Annotated[str, Meta(min_length=1, description="Its `iss`.")]
    audience: Annotated[str, Meta(min_length=1, description="What it calls this governor: `aud`.")]
    keys: Annotated[Expanded, Meta(description="JWK Set file: each key with its `alg`; pinned.")]


class EvaluatorSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program that may ask for policy decisions (AuthZEN)."""

    key_sha256: Annotated[
        str, Meta(pattern=SHA256, description="SHA-256 of its bearer key, in hex.")
    ]


class OversightSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The door for people and for other governors: on a port of its own, away from clients."""

    site: Annotated[Name, Meta(description="Name of this governor's own feed.")]
    key: Annotated[Expanded, Meta(description="Signing key file of this site; never shared.")]
    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="0 = any free port.")] = 8090
    folder: Annotated[Expanded, Meta(description="Where feeds and registers are kept.")] = (
        "oversight"
    )
    people: Annotated[
        dict[Name, PersonSection], Meta(max_length=PEOPLE_MAX, description="By name.")
    ] = {}
    feeds: Annotated[
        dict[Name, FeedSection],
        Meta(max_length=FEEDS_MAX, description="Other governors, by their `site` name."),
    ] = {}
    issuers: Annotated[
        tuple[IssuerSection, ...],
        Meta(max_length=16, description="Who may end sessions (CAEP, back-channel logout)."),
    ] = ()
    evaluators: Annotated[
        dict[Name, EvaluatorSection],
        Meta(max_length=PEOPLE_MAX, description="Who may ask for decisions."),
    ] = {}
    two_persons: Annotated[
        tuple[Annotated[str, Meta(pattern=ACT)], ...],
        Meta(
            description="Orders that a second person must confirm: `resume`, or with a scope "
            "`stop all`, `override loop:power`."
        ),
    ] = ()
    confirm_s: Annotated[Positive, Meta(description="Within which it must be confirmed, s.")] = (
        600.0
    )
    status_url: Annotated[
        str, Meta(description="`sub` of the status list: where others fetch it. Empty = its URL.")
    ] = ""


def check_oversight(section: OversightSection | None, document: Document) -> None:
    """Note keys that two parties share, a feed named like this site, URLs that are none."""
    if section is None:
        return
    owners: dict[str, str] = {}
    people = {f"people.{name}": one.key for name, one in section.people.items()}
    feeds = {f"feeds.{name}": one.key for name, one in section.feeds.items()}
    for place, key in {**people, **feeds}.items():
        path: Path = ("oversight", *place.split(".", 1), "key")
        if key in owners:
            step = "Each has a key of their own: an act must name who did it."
            document.fault(path, f"{owners[key]} has this key too", step)
        owners.setdefault(key, place)
    for name, feed in section.feeds.items():
        path = ("oversight", "feeds", name)
        if name == section.site:
            document.fault(path, "it is this site's own name", "Name the other governor's site.")
        if not feed.url.startswith(("http://", "https://")):
            step = "Give http(s)://host:port of its oversight door."
            document.fault((*path, "url"), "a URL is needed here", step)
    for name in set(section.people) & {section.site, *section.feeds}:
        document.fault(
            ("oversight", "people", name), "a site has this name", "Give the person another name."
        )


def with_feeds(policy: Policy, section: OversightSection | None) -> Policy:
    """The policy, under which every feed that the file names must be heard."""
    if section is None:
        return policy
    rules = msgspec.structs.replace(policy.authority, feeds=tuple(section.feeds))
    return msgspec.structs.replace(policy, authority=rules)


def absolute(section: OversightSection | None, folder: FilePath) -> OversightSection | None:
    """Its files from the folder of the fleet file."""
    if section is None:
        return None
    feeds = {
        name: msgspec.structs.replace(one, ca=str(folder / one.ca) if one.ca else None)
        for name, one in section.feeds.items()
    }
    issuers = tuple(
        msgspec.structs.replace(one, keys=str(folder / one.keys)) for one in section.issuers
    )
    return msgspec.structs.replace(
        section,
        key=str(folder / section.key),
        folder=str(folder / section.folder),
        feeds=feeds,
        issuers=issuers,
    )
