"""To which agent's session does a request belong, by what its client really sends?

Order (first found wins): our own header; headers of agent harnesses; ids in the body. Names of
headers: Claude Code from 2.1.86 `x-claude-code-session-id`; Codex `session-id` (older:
`session_id`); opencode `x-session-affinity` and `x-opencode-session`; others `x-session-id`.

Of the body: `prompt_cache_key`, `conversation`, `previous_response_id` (changes at each turn, so it
names the turn before, not the session: the core must map it), then `metadata`: `session_id`,
`conversation_id`, and the session inside Claude Code's `metadata.user_id` (`user_…_session_UUID`,
or a JSON object as a string). OpenAI's `user` and any other `metadata.user_id` name a *person*
(both vendors' references say so): one person has many sessions, so these are not taken, and the
core falls back on prefix lineage. Fairness ids name a tenant and are not taken either.
"""

import re
from typing import Any

import msgspec
import xxhash

from flyball.dialects.envelope import Envelope

OWN_HEADER = b"x-flyball-session"
HEADERS = (
    OWN_HEADER,
    b"x-claude-code-session-id",
    b"x-session-affinity",
    b"session-id",
    b"session_id",
    b"x-session-id",
    b"x-opencode-session",
)
_CHARS_MAX = 128
_METADATA_BYTES_MAX = 4096
_METADATA_KEYS = ("session_id", "conversation_id")
_CLAUDE_CODE = re.compile(r"_session_([0-9A-Za-z-]{8,64})$")
_NONE = ("", "")


def read_header_session(found: dict[bytes, bytes]) -> tuple[str, str]:
    """(session, name of the header it came from), or ("", "")."""
    for name in HEADERS:
        value = found.get(name)
        if value:
            return _bounded(value.decode("utf-8", "replace").strip()), name.decode()
    return _NONE


def read_body_session(envelope: Envelope) -> tuple[str, str]:
    """(session, field it came from), or ("", "") if the body names no session."""
    if envelope.prompt_cache_key:
        return _bounded(envelope.prompt_cache_key), "prompt_cache_key"
    if envelope.conversation:
        session = _conversation(bytes(envelope.conversation))
        if session:
            return _bounded(session), "conversation"
    if envelope.previous_response_id:
        return _bounded(envelope.previous_response_id), "previous_response_id"
    if envelope.metadata:
        return _metadata(bytes(envelope.metadata))
    return _NONE


def _conversation(raw: bytes) -> str:
    """The id of OpenAI's `conversation`: a string, or an object with `id`."""
    value = _decoded(raw)
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) else ""


def _metadata(raw: bytes) -> tuple[str, str]:
    fields = _decoded(raw)
    if not isinstance(fields, dict):
        return _NONE
    for key in _METADATA_KEYS:
        value = fields.get(key)
        if isinstance(value, str) and value:
            return _bounded(value), f"metadata.{key}"
    session = _inside_user_id(fields.get("user_id"))
    return (_bounded(session), "metadata.user_id") if session else _NONE


def _inside_user_id(user_id: object) -> str:
    if not isinstance(user_id, str):
        return ""
    if user_id.startswith("{"):
        inner = _decoded(user_id.encode("utf-8", "replace"))
        value = inner.get("session_id") if isinstance(inner, dict) else None
        return value if isinstance(value, str) else ""
    found = _CLAUDE_CODE.search(user_id)
    return found[1] if found else ""


def _decoded(raw: bytes) -> Any:
    if len(raw) > _METADATA_BYTES_MAX:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _bounded(session: str) -> str:
    """The id itself, or its hash where it is too long to be kept per session."""
    if len(session) <= _CHARS_MAX:
        return session
    return f"xxh3:{xxhash.xxh3_128_hexdigest(session.encode('utf-8', 'replace'))}"
