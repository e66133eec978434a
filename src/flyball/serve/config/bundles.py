"""Which policy bundles does this gateway want in force, and what must they show?

Whether a bundle must be signed, by whom and by how many, is said here alone: nothing inside a
bundle can lower it.
"""

import re
from pathlib import Path as FilePath
from typing import Annotated

from msgspec import Meta, Struct

from flyball.serve.config.text import Document, Path

KEY = r"^ed25519:[A-Za-z0-9_-]{43}$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
SIGNERS_MAX = 64
FILE_POLL_S = 2.0
REGISTRY_POLL_S = 30.0
_REGISTRY = re.compile(r"oci(\+http)?://[^/\s]+/[^\s:@]+(:[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})")

Key = Annotated[str, Meta(pattern=KEY)]
Name = Annotated[str, Meta(pattern=NAME)]
NotNegative = Annotated[float, Meta(ge=0)]
Text = Annotated[str, Meta(min_length=1, extra_json_schema={"x-env": True})]


class BundleSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One bundle, and what it must show before it comes into force."""

    source: Annotated[
        Text,
        Meta(description="A file, or `oci://HOST/REPOSITORY:TAG` (`oci+http://` without TLS)."),
    ]
    signers: Annotated[
        dict[Name, Key],
        Meta(max_length=SIGNERS_MAX, description="Keys that are believed, by name."),
    ] = {}
    signers_min: Annotated[
        int, Meta(ge=0, le=SIGNERS_MAX, description="So many of them must have signed.")
    ] = 1
    tenant: Annotated[str, Meta(description="Whose bundle it must be. Empty = anyone's.")] = ""
    log_trust: Annotated[
        Text | None,
        Meta(
            description="Trust policy (C2SP tlog-policy): the log that the bundle must be proven "
            "to be in, and its witnesses. Absent = not asked for."
        ),
    ] = None
    poll_s: Annotated[
        NotNegative | None,
        Meta(
            description="Look for a newer one so often, s; 0 = only on SIGHUP. Absent = 2 for a "
            "file, 30 for a registry."
        ),
    ] = None


class BundlesSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bundles that must all allow a request: a source, or a source and what it must show."""

    workload: Annotated[
        Text | BundleSection | None, Meta(description="Policy that comes with the work.")
    ] = None
    site: Annotated[
        Text | BundleSection | None, Meta(description="Policy of the place where it runs.")
    ] = None


class BundleSettings(Struct, frozen=True, kw_only=True):
    """The same with absolute paths; `log_trust` = the policy's text, "" = no proof is wanted."""

    source: str
    signers: dict[str, str]
    signers_min: int
    tenant: str
    log_trust: str
    poll_s: float


def read_bundles(
    sections: BundlesSection, folder: FilePath, document: Document
) -> dict[str, BundleSettings]:
    """The sections by role, workload first; faults are noted."""
    found: dict[str, BundleSettings] = {}
    for role, given in (("workload", sections.workload), ("site", sections.site)):
        if given is not None:
            section = BundleSection(source=given) if isinstance(given, str) else given
            path: Path = ("authority", "bundles", role)
            found[role] = _settings(section, path, folder, document)
    return found


def is_registry(source: str) -> bool:
    """Not a file."""
    return source.startswith(("oci://", "oci+http://"))


def _settings(
    section: BundleSection, path: Path, folder: FilePath, document: Document
) -> BundleSettings:
    remote = is_registry(section.source)
    if remote and not _REGISTRY.fullmatch(section.source):
        step = "Write oci://HOST[:PORT]/REPOSITORY:TAG, or …@sha256:DIGEST."
        document.fault(path, f"{section.source!r} is no place in a registry", step)
    _check_signers(section, remote, path, document)
    poll_s = REGISTRY_POLL_S if remote else FILE_POLL_S
    return BundleSettings(
        source=section.source if remote else str(folder / section.source),
        signers=section.signers,
        signers_min=section.signers_min if section.signers else 0,
        tenant=section.tenant,
        log_trust=_trust_text(section.log_trust, path, folder, document),
        poll_s=poll_s if section.poll_s is None else section.poll_s,
    )


def _check_signers(section: BundleSection, remote: bool, path: Path, document: Document) -> None:
    from flyball.authority.revocation.signer import KeyTextError, read_key

    count = len(section.signers)
    if len(set(section.signers.values())) != count:
        step = "Each party has a key of its own."
        document.fault((*path, "signers"), "one key is named twice", step)
    for name, key in section.signers.items():
        try:
            read_key(key)
        except KeyTextError as error:
            step = "`flyball people new-key` makes one."
            document.fault((*path, "signers", name), str(error), step)
    if count and section.signers_min > count:
        step = f"Name more signers, or ask for {count} at most."
        message = f"{section.signers_min} signatures cannot come of {count} keys"
        document.fault((*path, "signers_min"), message, step)
    if not count or section.signers_min == 0:
        step = "Name the keys of those who may publish it under `signers`."
        severity = "error" if remote else "warning"
        message = "nobody need have signed this bundle"
        document.fault(path, message, step, severity=severity)


def _trust_text(file: str | None, path: Path, folder: FilePath, document: Document) -> str:
    from flyball.ledger.note import NoteError
    from flyball.ledger.trust import parse_trust

    if file is None:
        return ""
    try:
        text = (folder / file).read_text("utf-8")
        parse_trust(text)
    except (OSError, UnicodeDecodeError, NoteError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        step = "Name a trust policy (C2SP tlog-policy)."
        document.fault((*path, "log_trust"), f"{folder / file}: {reason}", step)
        return ""
    return text
