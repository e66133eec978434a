"""What do a client's header fields tell: key, class, deadline, retries, promises?

Names come lower-cased. Our own fields and the SLO fields are checked, and a bad value is refused;
fields that client libraries add by themselves (`x-stainless-*`) are taken when they make sense.
Sources: openai-python and anthropic-sdk-python `_base_client.py` (x-stainless-*), llm-d-router and
Gateway API Inference Extension (objective and SLO fields), RFC 9110 10.2.3 (Retry-After).
"""

import hashlib
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from math import ceil, inf, isfinite
from typing import NamedTuple

from flyball.dialects.envelope import bad_field
from flyball.dialects.sessions import HEADERS as SESSION_HEADERS
from flyball.dialects.sessions import read_header_session
from flyball.model.request import SessionBudget
from flyball.units import Seconds, seconds_from_ms

_AUTHORIZATION = b"authorization"
_KEY_HEADERS = (b"x-api-key", b"api-key")
_RETRY_HEADERS = (b"x-stainless-retry-count", b"x-retry-count")
_CLIENT_TIMEOUT_HEADERS = (b"x-stainless-timeout", b"x-stainless-read-timeout")
_CLASS_HEADERS = (
    b"x-flyball-class",
    b"x-llm-d-inference-objective",
    b"x-gateway-inference-objective",
)
_DEADLINE_HEADERS = (b"x-flyball-deadline-ms", b"x-request-timeout-ms")
_TTFT_HEADERS = (b"x-slo-ttft-ms", b"x-llm-d-slo-ttft-ms")
_TPOT_HEADERS = (b"x-slo-tpot-ms", b"x-llm-d-slo-tpot-ms")
_JURISDICTION_HEADER = b"x-flyball-jurisdiction"
_SESSION_BUDGET_HEADER = b"x-flyball-session-budget"
_BUDGETS = frozenset((b"steps", b"tokens", b"usd", b"wall-s"))
_QUOTE_HEADER = b"x-flyball-quote"
_CLIENT_RTT_HEADER = b"x-flyball-client-rtt-ms"
_SENT_AT_HEADER = b"x-flyball-sent-at-ms"
_HINT_HEADERS = frozenset(
    (
        *SESSION_HEADERS,
        *_CLASS_HEADERS,
        *_DEADLINE_HEADERS,
        *_TTFT_HEADERS,
        *_TPOT_HEADERS,
        _JURISDICTION_HEADER,
        _SESSION_BUDGET_HEADER,
        _QUOTE_HEADER,
        _CLIENT_RTT_HEADER,
        _SENT_AT_HEADER,
    )
)
_WANTED = _HINT_HEADERS.union(
    (_AUTHORIZATION, *_KEY_HEADERS, *_RETRY_HEADERS, *_CLIENT_TIMEOUT_HEADERS)
)
_LABEL_CHARS_MAX = 128
_DURATION_MS_MAX = 7 * 86_400_000.0
_TIMEOUT_S_MAX = _DURATION_MS_MAX / 1e3
_RETRIES_MAX = 1_000
# 2001 to 2286: seconds and microseconds sent by mistake fall outside.
_UNIX_MS_MIN = 1e12
_UNIX_MS_MAX = 1e13
_KEYS_KEPT_MAX = 4_096

_digests: dict[bytes, str] = {}


class HeaderHints(NamedTuple):
    """What a client said in header fields; "" and 0 = it said nothing."""

    class_hint: str = ""
    session_hint: str = ""
    session_source: str = ""
    jurisdiction_hint: str = ""
    deadline_s: Seconds = 0.0
    ttft_s_max: Seconds = 0.0
    tpot_s_max: Seconds = 0.0
    quote: str = ""
    client_rtt_s: Seconds = 0.0
    sent_at: Seconds = 0.0
    session_budget: SessionBudget | None = None


NO_HINTS = HeaderHints()


def pick_wanted(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The few fields that matter, by name; of a repeated field the last one counts."""
    wanted = _WANTED
    return {name: value for name, value in headers if name in wanted}


def read_key_sha256(found: dict[bytes, bytes]) -> str:
    """Lower-case hex SHA-256 of the API key, "" if none was sent.

    Recent digests are kept, `_KEYS_KEPT_MAX` of them at most, oldest dropped first.
    """
    raw = found.get(_AUTHORIZATION)
    if raw is None:
        raw = found.get(b"x-api-key") or found.get(b"api-key")
        if raw is None:
            return ""
    digest = _digests.get(raw)
    return _digest(raw) if digest is None else digest


def _digest(raw: bytes) -> str:
    scheme, _, rest = raw.partition(b" ")
    key = rest.strip() if scheme.lower() == b"bearer" else raw.strip()
    digest = hashlib.sha256(key).hexdigest() if key else ""
    if len(_digests) >= _KEYS_KEPT_MAX:
        del _digests[next(iter(_digests))]
    _digests[raw] = digest
    return digest


def read_retry_count(found: dict[bytes, bytes]) -> int:
    """How often the client's library has tried this request before; 0 if it does not say."""
    for name in _RETRY_HEADERS:
        value = found.get(name)
        if value is not None and value != b"0" and len(value) <= 9 and value.isdigit():
            return min(int(value), _RETRIES_MAX)
    return 0


def read_client_timeout_s(found: dict[bytes, bytes]) -> Seconds:
    """After how many seconds without a byte the client's library gives up; 0 = it does not say.

    The official clients send their *read* timeout, so it bounds an answer that comes in one piece;
    a stream may go on for longer.
    """
    for name in _CLIENT_TIMEOUT_HEADERS:
        value = found.get(name)
        if value is not None:
            seconds = _number(value)
            if 0.0 < seconds < _TIMEOUT_S_MAX:
                return seconds
    return 0.0


def read_hints(found: dict[bytes, bytes]) -> HeaderHints:
    """Class, session, jurisdiction, deadline and latency bounds out of `pick_wanted`'s fields.

    Raises RefusedError for a value that makes no sense.
    """
    if _HINT_HEADERS.isdisjoint(found):
        return NO_HINTS
    session, source = read_header_session(found)
    return HeaderHints(
        class_hint=_read_label(found, _CLASS_HEADERS),
        session_hint=session,
        session_source=source,
        jurisdiction_hint=_read_label(found, (_JURISDICTION_HEADER,)),
        deadline_s=_read_ms(found, _DEADLINE_HEADERS),
        ttft_s_max=_read_ms(found, _TTFT_HEADERS),
        tpot_s_max=_read_ms(found, _TPOT_HEADERS),
        quote=_read_label(found, (_QUOTE_HEADER,)),
        client_rtt_s=_read_ms(found, (_CLIENT_RTT_HEADER,)),
        sent_at=_read_unix_ms(found),
        session_budget=_read_session_budget(found),
    )


def retry_after(headers: list[tuple[bytes, bytes]], now_unix_s: float) -> Seconds:
    """Seconds an engine asks us to wait, 0.0 if it does not say so intelligibly; never negative.

    `retry-after-ms` (as the official clients read it) before `Retry-After`, which is seconds or an
    HTTP date (RFC 9110 10.2.3) counted from `now_unix_s`, seconds since 1970.
    """
    fields = {name: value for name, value in headers if name.startswith(b"retry-after")}
    millis = _number(fields.get(b"retry-after-ms", b""))
    if millis >= 0.0:
        return seconds_from_ms(millis)
    value = fields.get(b"retry-after", b"")
    seconds = _number(value)
    if seconds >= 0.0:
        return seconds
    try:
        date = parsedate_to_datetime(value.decode("ascii"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    zoned = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, zoned.timestamp() - now_unix_s)


def _read_label(found: dict[bytes, bytes], names: tuple[bytes, ...]) -> str:
    for name in names:
        value = found.get(name)
        if value:
            text = value.decode("ascii", "replace").strip()
            if len(text) > _LABEL_CHARS_MAX or not text.isascii() or not text.isprintable():
                why = f"Must be printable ASCII of at most {_LABEL_CHARS_MAX} characters"
                raise bad_field(name.decode(), why)
            return text
    return ""


def _read_session_budget(found: dict[bytes, bytes]) -> SessionBudget | None:
    """`steps=50, tokens=2000000, usd=5, wall-s=3600`: any of them, each above 0."""
    value = found.get(_SESSION_BUDGET_HEADER)
    if value is None:
        return None
    wish: dict[str, float] = {}
    for part in value.split(b","):
        name, _, number = part.partition(b"=")
        amount = _number(number.strip())
        if name.strip() not in _BUDGETS or not amount > 0.0:
            shown = part[:32].decode("ascii", "backslashreplace").strip()
            why = f"Must be like 'steps=50, tokens=2000000, usd=5, wall-s=3600', got '{shown}'"
            raise bad_field(_SESSION_BUDGET_HEADER.decode(), why)
        wish[name.strip().decode()] = amount
    return SessionBudget(
        steps=ceil(wish.get("steps", 0.0)),
        tokens=ceil(wish.get("tokens", 0.0)),
        usd=wish.get("usd", 0.0),
        wall_s=wish.get("wall-s", 0.0),
    )


def _read_ms(found: dict[bytes, bytes], names: tuple[bytes, ...]) -> Seconds:
    for name in names:
        value = found.get(name)
        if value is not None:
            millis = _number(value)
            if not 0.0 < millis <= _DURATION_MS_MAX:
                shown = value[:32].decode("ascii", "backslashreplace")
                raise bad_field(name.decode(), f"Must be milliseconds above 0, got '{shown}'")
            return seconds_from_ms(millis)
    return 0.0


def _read_unix_ms(found: dict[bytes, bytes]) -> Seconds:
    """When the client says it sent the request, Unix seconds; 0 = it does not say."""
    value = found.get(_SENT_AT_HEADER)
    if value is None:
        return 0.0
    millis = _plain_number(value)
    if not _UNIX_MS_MIN <= millis <= _UNIX_MS_MAX:
        shown = value[:32].decode("ascii", "backslashreplace")
        raise bad_field(_SENT_AT_HEADER.decode(), f"Must be Unix milliseconds, got '{shown}'")
    return seconds_from_ms(millis)


@lru_cache(maxsize=1024)
def _number(value: bytes) -> float:
    """`_plain_number` of values that come again and again."""
    return _plain_number(value)


def _plain_number(value: bytes) -> float:
    """A finite number of at most 32 characters, or -inf."""
    if len(value) > 32 or b"_" in value:
        return -inf
    try:
        number = float(value)
    except ValueError:
        return -inf
    return number if isfinite(number) else -inf
