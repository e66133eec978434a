"""Which bytes is a policy bundle, and what does a file that claims to be one hold?

A POSIX ustar archive of regular files with names from one list, in one order, with no owner, time
or mode of their own: equal contents give equal bytes, and any other spelling is refused. So there
is nothing to be hidden in a header, and no name that leads out of the archive (POSIX.1-2017, pax,
"ustar Interchange Format").
"""

import io
import tarfile
from collections.abc import Mapping

from msgspec import Struct

from flyball.units import Bytes

MEDIA_TYPE = "application/vnd.flyball.policy.v1+tar"
MANIFEST = "manifest.json"
SCHEMA = "schema.cedarschema"
POLICIES = "policies.cedar"
ENTITIES = "entities.json"
OBLIGATIONS = "obligations.json"
LIMITS = "limits.json"
TRUST = "trust.policy"
TESTS = "tests.json"
ENVELOPE = "envelope.dsse"
PROOF = "bundle.tlog-proof"
# In the order in which they stand. What is said about the bundle is not part of what it says.
NAMES = (
    MANIFEST, SCHEMA, POLICIES, ENTITIES, OBLIGATIONS, LIMITS, TRUST, TESTS, ENVELOPE, PROOF,
)  # fmt: skip
BUNDLE_BYTES_MAX: Bytes = 8 << 20
FILE_BYTES_MAX: Bytes = 4 << 20

_BLOCK = 512
_KINDS = {
    b"1": "a hard link", b"2": "a link", b"3": "a device", b"4": "a device", b"5": "a folder",
    b"6": "a pipe", b"S": "a sparse file", b"x": "an extended header", b"g": "an extended header",
    b"L": "a long name", b"K": "a long name",
}  # fmt: skip


class BundleError(ValueError):
    """A bundle is refused. `code` = stable word for the reason, `next_step` = what to do."""

    def __init__(self, code: str, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.code, self.next_step = code, next_step


class _Entry(Struct):
    name: str
    kind: bytes
    size: int


def pack(files: Mapping[str, bytes]) -> bytes:
    """The one archive of these files, by name of `NAMES`. BundleError if they are too large."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in NAMES:
            if name in files:
                _check_size(name, len(files[name]))
                entry = tarfile.TarInfo(name)
                entry.size = len(files[name])
                archive.addfile(entry, io.BytesIO(files[name]))
    data = made.getvalue()
    check_whole_size(len(data))
    return data


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of an archive by name. Raises BundleError for all but what `pack` makes."""
    check_whole_size(len(data))
    found: dict[str, bytes] = {}
    at = 0
    while data[at : at + _BLOCK].strip(b"\0"):
        entry = _entry(data[at : at + _BLOCK])
        if entry.name not in NAMES:
            raise _bad(f"{entry.name!r} has no place in a bundle")
        if entry.kind != b"0":
            what = _KINDS.get(entry.kind, f"of type {entry.kind!r}")
            raise _bad(f"{entry.name} is {what}, not a plain file")
        if entry.name in found:
            raise _bad(f"{entry.name} stands in it twice")
        _check_size(entry.name, entry.size)
        start = at + _BLOCK
        found[entry.name] = data[start : start + entry.size]
        if len(found[entry.name]) != entry.size:
            raise _bad(f"it ends amid {entry.name}")
        at = start + -(-entry.size // _BLOCK) * _BLOCK
    if not found:
        raise _bad("it is no archive, or an empty one")
    if pack(found) != data:
        raise _bad("its headers, order or padding are not those of a bundle")
    return found


def check_whole_size(size: Bytes) -> None:
    """Raises BundleError for a bundle that is too large to be read."""
    if size > BUNDLE_BYTES_MAX:
        raise BundleError("oversized", f"it is larger than {BUNDLE_BYTES_MAX} bytes")


def _check_size(name: str, size: Bytes) -> None:
    if size > FILE_BYTES_MAX:
        raise BundleError("oversized", f"{name} is larger than {FILE_BYTES_MAX} bytes")


def _entry(block: bytes) -> _Entry:
    """Name, type and size of a header; all else is held against what `pack` writes."""
    if len(block) < _BLOCK:
        raise _bad("it ends amid a header")
    size = block[124:136].strip(b"\0 ")
    try:
        return _Entry(_text(block[0:100]), block[156:157], int(size, 8))
    except ValueError:
        raise _bad("it is no archive") from None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii")


def _bad(message: str) -> BundleError:
    return BundleError("archive", message, "Make it with `flyball bundle build`.")
