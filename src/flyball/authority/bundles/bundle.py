"""What is a policy bundle: policies that travel with the work, under one digest?

The manifest (RFC 8785) names the digest of every file that speaks; its own SHA-256 is the bundle's
digest. Signatures and the proof that it was logged speak about that digest, so they can be added
without changing it. `limits.json`, `obligations.json` and `trust.policy` may be absent.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

import msgspec
from msgspec import Struct

from flyball.authority.bundles.archive import (
    ENTITIES,
    ENVELOPE,
    LIMITS,
    MANIFEST,
    OBLIGATIONS,
    POLICIES,
    PROOF,
    SCHEMA,
    TESTS,
    TRUST,
    BundleError,
    pack,
    unpack,
)
from flyball.signing.jcs import JcsError, canonical, canonicalize
from flyball.units import Seconds

FORMAT = "flyball-policy/v1"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:flyball:policy-bundle:v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
VERSION_MAX = 2**53 - 1  # what every JSON reader holds exactly
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_CONTENT = (SCHEMA, POLICIES, ENTITIES, OBLIGATIONS, LIMITS, TRUST, TESTS)
_NEEDED = (SCHEMA, POLICIES, ENTITIES, TESTS)


class Requires(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose signatures the publisher says it has: `least` of `signers` (keys as text).

    It can only ask for more than the receiver does, never for less.
    """

    least: int = 0
    signers: tuple[str, ...] = ()


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a bundle says of itself. Times are RFC 3339 in UTC; `digests` are by file name."""

    format: str = FORMAT
    name: str
    tenant: str = ""
    version: int
    not_before: str
    expires: str
    required_engine: str = "cedar>=4.8"
    requires: Requires = Requires()
    digests: dict[str, str] = {}

    @property
    def not_before_at(self) -> Seconds:
        """Unix time from which it may be in force."""
        return instant(self.not_before)

    @property
    def expires_at(self) -> Seconds:
        """Unix time from which it is void."""
        return instant(self.expires)


class Bundle(Struct, frozen=True, kw_only=True):
    """A bundle whose files are those of its manifest. Nothing else was checked.

    `digest` = sha256:<hex> of the manifest; `envelope` and `proof` b"" = it has none.
    """

    manifest: Manifest
    digest: str
    content: dict[str, bytes]
    envelope: bytes = b""
    proof: bytes = b""

    def text(self, name: str) -> str:
        """A file as text, "" if absent. BundleError if it is not UTF-8."""
        try:
            return self.content.get(name, b"").decode()
        except UnicodeDecodeError:
            raise BundleError("content", f"{name} is not UTF-8") from None

    def encode(self) -> bytes:
        """The file."""
        extra = {ENVELOPE: self.envelope, PROOF: self.proof}
        said = {name: data for name, data in extra.items() if data}
        return pack({MANIFEST: _manifest_bytes(self.manifest), **self.content, **said})

    def statement(self) -> bytes:
        """What signers sign and a log holds: an in-toto Statement v1 whose subject it is."""
        about = self.manifest
        return canonical(
            {
                "_type": STATEMENT_TYPE,
                "predicate": {
                    "expires": about.expires,
                    "mediaType": about.format,
                    "notBefore": about.not_before,
                    "tenant": about.tenant,
                    "version": about.version,
                },
                "predicateType": PREDICATE_TYPE,
                "subject": [
                    {
                        "digest": {"sha256": self.digest.removeprefix("sha256:")},
                        "name": about.name,
                    }
                ],
            }
        )


def build(manifest: Manifest, content: Mapping[str, bytes]) -> Bundle:
    """A bundle of these files; the manifest's digests are filled in. BundleError if it is none."""
    kept = {name: content[name] for name in _CONTENT if name in content}
    digests = {name: _digest(data) for name, data in kept.items()}
    made = msgspec.structs.replace(manifest, digests=digests)
    return decode(Bundle(manifest=made, digest="", content=kept).encode())


def decode(data: bytes) -> Bundle:
    """The bundle in a file. Raises BundleError if it is none, or any file is not as its manifest
    says."""
    files = unpack(data)
    manifest = _manifest(files.pop(MANIFEST, b""))
    envelope, proof = files.pop(ENVELOPE, b""), files.pop(PROOF, b"")
    for name in _NEEDED:
        if name not in files:
            raise BundleError("content", f"{name} is missing", "Build the bundle again.")
    if set(files) != set(manifest.digests):
        odd = ", ".join(sorted(set(files) ^ set(manifest.digests)))
        raise BundleError("digest", f"the manifest and the files differ in {odd}")
    for name, content in files.items():
        if _digest(content) != manifest.digests[name]:
            raise BundleError("digest", f"{name} is not what the manifest names")
    digest = _digest(_manifest_bytes(manifest))
    return Bundle(manifest=manifest, digest=digest, content=files, envelope=envelope, proof=proof)


def instant(text: str) -> Seconds:
    """Unix time of an RFC 3339 time in UTC, such as 2026-11-21T00:00:00Z; BundleError else."""
    try:
        found = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        found = None
    if found is None or not text.endswith("Z"):
        step = "Write it as 2026-11-21T00:00:00Z."
        raise BundleError("manifest", f"{text!r} is no time in UTC", step)
    return found.timestamp()


def _manifest(data: bytes) -> Manifest:
    try:
        found = msgspec.json.decode(data, type=Manifest)
        if _manifest_bytes(found) != data:
            raise BundleError("manifest", "the manifest is not in canonical JSON")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, JcsError) as error:
        raise BundleError("manifest", f"the manifest is none: {error}") from None
    _check_manifest(found)
    return found


def _check_manifest(found: Manifest) -> None:
    if found.format != FORMAT:
        raise BundleError("manifest", f"the format {found.format!r} is not known here")
    for noun, value in (("name", found.name), ("tenant", found.tenant)):
        if not re.fullmatch(NAME, value) and (noun == "name" or value):
            step = "Use letters, digits, `.`, `_`, `-`, at most 63."
            raise BundleError("manifest", f"{value!r} is no {noun}", step)
    if not 1 <= found.version <= VERSION_MAX:
        raise BundleError("manifest", f"{found.version} is no version", "Count from 1 up.")
    if found.expires_at <= found.not_before_at:
        raise BundleError("manifest", "it expires before it holds")
    needed = found.requires
    if not 0 <= needed.least <= len(set(needed.signers)) or len(set(needed.signers)) != len(
        needed.signers
    ):
        raise BundleError("manifest", f"{needed.least} of {len(needed.signers)} signers is no rule")


def _manifest_bytes(manifest: Manifest) -> bytes:
    return canonicalize(msgspec.json.encode(manifest))


def _digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"
