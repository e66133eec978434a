"""Whose signatures make a checkpoint believable?

A C2SP tlog-policy: the logs' keys, the witnesses' keys (with the URL at which each takes
checkpoints), groups of witnesses with a threshold, and the quorum. The same rule can be given as
plain keys with a number.
"""

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from flyball.ledger.checkpoint import Checkpoint, parse
from flyball.ledger.note import COSIGNATURE, ED25519, NoteError, Signed, VerifierKey, read_note

KEYS_MAX = 256
NO_QUORUM = "none"


class Witness(Struct, frozen=True):
    """A witness known under `name` in the policy; `url` "" = not known where it answers."""

    name: str
    key: VerifierKey
    url: str = ""


class Group(Struct, frozen=True):
    """Holds once `least` of its members (witnesses or groups before it) do."""

    name: str
    least: int
    members: tuple[str, ...]


class Trust(Struct, frozen=True):
    """Logs that may sign, witnesses, groups in order, and the member that must hold ("none")."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NO_QUORUM

    def holds(self, cosigners: Sequence[VerifierKey]) -> bool:
        """Whether cosignatures under these keys are enough."""
        met = {NO_QUORUM} | {one.name for one in self.witnesses if one.key in cosigners}
        for group in self.groups:
            if len(met.intersection(group.members)) >= group.least:
                met.add(group.name)
        return self.quorum in met

    def rule(self) -> str:
        """The quorum in words."""
        for group in self.groups:
            if group.name == self.quorum:
                return f"{group.least} of {len(group.members)} ({', '.join(group.members)})"
        return f"1 of 1 ({self.quorum})" if self.quorum != NO_QUORUM else "none"


class Judged(Struct, frozen=True):
    """A checkpoint with the signatures on it that hold under the keys of a Trust."""

    checkpoint: Checkpoint
    text: str
    logs: tuple[Signed, ...]
    cosigned: tuple[Signed, ...]
    has_quorum: bool


class TrustError(NoteError):
    """The policy is not one; the message names the line."""


def judge(note: str, trust: Trust) -> Judged:
    """The checkpoint of a note that one of the trusted logs signed under its origin.

    `has_quorum` tells whether its witnesses are enough: the caller decides what follows. Raises
    NoteError if it is no note, a signature of a known key does not hold, or no log signed.
    """
    found = read_note(note, [*trust.logs, *(one.key for one in trust.witnesses)])
    checkpoint = parse(found.text)
    logs = tuple(one for one in found.signed if one.key.kind == ED25519)
    if not any(one.key.name == checkpoint.origin for one in logs):
        raise NoteError(f"no trusted key signed this as {checkpoint.origin!r}")
    cosigned = tuple(one for one in found.signed if one.key.kind == COSIGNATURE)
    has_quorum = trust.holds([one.key for one in cosigned])
    return Judged(checkpoint, found.text, logs, cosigned, has_quorum)


def trust_of(logs: Sequence[VerifierKey], witnesses: Sequence[VerifierKey], least: int) -> Trust:
    """`least` of these witnesses, besides one of the logs.

    Raises TrustError for a key of the wrong type, one given twice, or an impossible number.
    """
    named = tuple(Witness(key.name + "+" + key.id.hex(), key) for key in witnesses)
    if not 0 <= least <= len(named):
        raise TrustError(f"a quorum of {least} cannot come of {len(named)} witnesses")
    groups = (Group("quorum", least, tuple(one.name for one in named)),) if least else ()
    return _checked(Trust(tuple(logs), named, groups, "quorum" if least else NO_QUORUM))


def parse_trust(text: str) -> Trust:
    """Read a tlog-policy. Raises TrustError with the number of the line at fault."""
    logs: list[VerifierKey] = []
    witnesses: list[Witness] = []
    groups: list[Group] = []
    quorum: list[str] = []
    names: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        words = re.split(r"[ \t]+", line.strip(" \t"))
        if not words[0] or words[0].startswith("#"):
            continue
        try:
            if words[0] == "log" and len(words) in (2, 3):
                logs.append(VerifierKey.parse(words[1]))
            elif words[0] == "witness" and len(words) in (3, 4):
                url = words[3] if len(words) == 4 else ""
                witnesses.append(Witness(_new(words[1], names), VerifierKey.parse(words[2]), url))
            elif words[0] == "group" and len(words) >= 4:
                groups.append(_group(words, names))
            elif words[0] == "quorum" and len(words) == 2 and not quorum:
                quorum.append(_known(words[1], names | {NO_QUORUM}))
            else:
                raise TrustError(f"not a line of a trust policy: {line.strip()!r}")
        except NoteError as error:
            raise TrustError(f"line {number}: {error}") from None
    if not quorum:
        raise TrustError("it has no quorum line")
    return _checked(Trust(tuple(logs), tuple(witnesses), tuple(groups), quorum[0]))


def _group(words: list[str], names: set[str]) -> Group:
    members = tuple(_known(word, names) for word in words[3:])
    if len(set(members)) != len(members):
        raise TrustError("a member is listed twice")
    shorthand = {"any": "1", "all": str(len(members))}
    least = shorthand.get(words[2], words[2])
    if not (least.isascii() and least.isdecimal() and 1 <= int(least) <= len(members)):
        raise TrustError(f"{least} of {len(members)} is no threshold")
    return Group(_new(words[1], names), int(least), members)


def _new(name: str, names: set[str]) -> str:
    if name in names or name == NO_QUORUM:
        raise TrustError(f"the name {name} stands for something already")
    names.add(name)
    return name


def _known(name: str, names: set[str]) -> str:
    if name not in names:
        raise TrustError(f"{name} was not defined before")
    return name


def _checked(trust: Trust) -> Trust:
    witnesses = tuple(one.key for one in trust.witnesses)
    _check_kind(trust.logs, ED25519, "log")
    _check_kind(witnesses, COSIGNATURE, "witness")
    publics = [key.public for key in (*trust.logs, *witnesses)]
    if len(publics) > KEYS_MAX:
        raise TrustError(f"it has more than {KEYS_MAX} keys")
    if len(set(publics)) != len(publics):
        raise TrustError("a key is given twice: it would count for two parties")
    members = [name for group in trust.groups for name in group.members]
    if len(set(members)) != len(members):
        raise TrustError("a witness or group is a member of two groups")
    return trust


def _check_kind(keys: Sequence[VerifierKey], kind: int, noun: Literal["log", "witness"]) -> None:
    for key in keys:
        if key.kind != kind:
            raise TrustError(
                f"the key of {key.name} is of type 0x{key.kind:02x}; a {noun} has 0x{kind:02x}"
            )
