"""What does a Prometheus remember of some metrics, between two times?

HTTP API `query_range` (prometheus.io/docs/prometheus/latest/querying/api), which its kin (Thanos,
Mimir, VictoriaMetrics) have too: at most 11,000 points a series and answer, so time goes in pages.
"""

import json
from collections.abc import Iterator, Sequence
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from flyball.units import Seconds

POINTS_MAX = 1_000
NAMES_MAX = 40
ANSWER_BYTES_MAX = 256 << 20
TIMEOUT_S: Seconds = 60.0


class QueryError(Exception):
    """No answer, or a bad one: names the place and the next step."""


def pages(
    address: str,
    names: Sequence[str],
    begin: Seconds,
    end: Seconds,
    step_s: Seconds,
    token: str = "",
) -> Iterator[bytes]:
    """Answers that together hold every sample from `begin` to `end` (Unix s) at a step, some names
    and a stretch of time each; for each series in order of time. `token` = a bearer's.

    Raises QueryError.
    """
    if urlsplit(address).scheme not in ("http", "https"):
        raise QueryError(f"{address}: no address. Write it like http://prometheus:9090.")
    for first in range(0, len(names), NAMES_MAX):
        some = "|".join(names[first : first + NAMES_MAX])
        at = begin
        while at <= end:
            last = min(at + (POINTS_MAX - 1) * step_s, end)
            asked = {
                "query": f'{{__name__=~"{some}"}}',
                "start": f"{at:.3f}",
                "end": f"{last:.3f}",
                "step": f"{step_s:g}",
            }
            yield _answer(address, asked, token)
            at = last + step_s


def _answer(address: str, asked: dict[str, str], token: str) -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = address.rstrip("/") + "/api/v1/query_range"
    request = Request(url, data=urlencode(asked).encode(), headers=headers)
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:
            page = answer.read(ANSWER_BYTES_MAX + 1)
    except HTTPError as fault:
        raise QueryError(f"{address} answers {fault.code}: {_why(fault)}") from None
    except (URLError, TimeoutError, OSError) as fault:
        reason = getattr(fault, "reason", fault)
        raise QueryError(
            f"{address} does not answer ({reason}). Is it up, and reachable?"
        ) from None
    if len(page) > ANSWER_BYTES_MAX:
        raise QueryError(f"{address}: an answer above {ANSWER_BYTES_MAX >> 20} MiB; raise --step")
    return page


def _why(fault: HTTPError) -> str:
    try:
        return str(json.loads(fault.read(65_536))["error"])
    except (ValueError, KeyError, TypeError, OSError):
        step = "Give --token-file." if fault.code in (401, 403) else "Is it a Prometheus?"
        return f"{fault.reason}. {step}"
