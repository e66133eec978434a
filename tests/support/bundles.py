"""Which policy bundles do tests use? Signed with keys made of a number: bytes never change."""

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.authority.bundles.archive import ENTITIES, POLICIES, SCHEMA, TESTS
from flyball.authority.bundles.bundle import PAYLOAD_TYPE, Bundle, Manifest, build
from flyball.authority.bundles.dsse import seal
from flyball.authority.policy.schema import schema_text
from flyball.authority.revocation.signer import Signer, key_text

PERMIT = '@id("base") permit (principal, action, resource);\n'
EXPIRES = "2099-01-01T00:00:00Z"
NOW = 1_800_000_000.0


def person(name: str, seed: int) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


ALICE, BOB, CAROL = person("alice", 1), person("bob", 2), person("carol", 3)
SIGNERS = {one.name: key_text(one.public) for one in (ALICE, BOB, CAROL)}


def forbids(name: str) -> str:
    """Policies under which requests of one class are not let in."""
    rule = f'forbid (principal, action, resource) when {{ context.className == "{name}" }};'
    return PERMIT + f'@id("no-{name}") {rule}\n'


def content(policies: str = PERMIT, **files: Any) -> dict[str, bytes]:
    """Files of a bundle; `files` = JSON by the name without .json."""
    made = {
        SCHEMA: schema_text().encode(),
        POLICIES: policies.encode(),
        ENTITIES: b"[]",
        TESTS: b'{"tests": [{"expect": "allow"}]}',
    }
    return made | {f"{name}.json": json.dumps(value).encode() for name, value in files.items()}


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "name": "work", "version": 1, "not_before": "2020-01-01T00:00:00Z", "expires": EXPIRES,
    }  # fmt: skip
    return Manifest(**(fields | changes))


def bundle(
    policies: str = PERMIT,
    *,
    signers: Sequence[Signer] = (ALICE, BOB),
    files: dict[str, Any] | None = None,
    **changes: Any,
) -> Bundle:
    """A signed bundle; `changes` of its manifest."""
    made = build(manifest(**changes), content(policies, **(files or {})))
    return signed(made, *signers) if signers else made


def signed(made: Bundle, *signers: Signer) -> Bundle:
    """With these signatures, and no others."""
    return msgspec.structs.replace(made, envelope=seal(PAYLOAD_TYPE, made.statement(), signers))


def section(source: Path | str, *, more: dict[str, Any] | None = None, **changes: Any) -> str:
    """The fleet file's section for a bundle that two of three must have signed; `more` = beside."""
    given = {"source": str(source), "signers": SIGNERS, "signers_min": 2, "poll_s": 0.2} | changes
    return "authority: " + json.dumps({"bundles": {"workload": given}, **(more or {})}) + "\n"


def fleet(engine: str, extra: str) -> str:
    """A fleet file of one engine and two classes."""
    return (
        "version: v1\n"
        "sites: {s: {jurisdiction: NO}}\n"
        "pools:\n  p: {site: s, engine: vllm, profile: h100/llama-3.1-8b, models: [m],\n"
        f"      endpoints: ['{engine}']}}\n"
        "classes: {fast: {value_usd: 0.01}, slow: {value_usd: 0.01}}\n"
        "ledger: {folder: log}\n" + extra
    )


def chat(url: str, name: str, tokens: int) -> urllib.request.Request:
    """A streamed request of that class."""
    body = {
        "model": "m", "stream": True, "max_tokens": tokens,
        "messages": [{"role": "user", "content": "hello"}],
    }  # fmt: skip
    fields = {"content-type": "application/json", "x-flyball-class": name}
    return urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), fields)
