"""What does a running gateway's own diagnosis see now?"""

import urllib.error
import urllib.request

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from flyball.cli.diagnose_input import Tell, Told
from flyball.cli.diagnose_output import shown
from flyball.cli.file_shape import CannotUse
from flyball.diagnosis.finding import Evidence, Finding
from flyball.units import Seconds

TIMEOUT_S = 5.0
BYTES_MAX = 16 << 20


class Page(Struct, frozen=True, kw_only=True):
    """`/v1/flyball/findings`: `margins` by loop or pool, `missing` = signals that were not seen,
    `held` = loop to the code for which it is held; `age_s` None = it has not looked yet."""

    mode: str
    age_s: Seconds | None
    findings: tuple[Finding, ...]
    margins: tuple["Margin", ...]
    missing: tuple[str, ...]
    held: dict[str, str]


class Margin(Struct, frozen=True, kw_only=True):
    """One margin: of which loop or pool, and its numbers (as of `Evidence`)."""

    of: str
    what: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    limit: float | None = None


def told(url: str, tell: Tell) -> Told:
    """What the gateway there found; margins and what it cannot see are told in words. CannotUse."""
    page = _fetch(url)
    if page.age_s is None:
        tell(f"{url}: it has not looked yet (diagnosis mode: {page.mode})")
        return Told()
    tell(f"{url}: looked {page.age_s:.1f} s ago (diagnosis mode: {page.mode})")
    for one in page.margins:
        fields = asdict(one)
        tell(f"  margin of {fields.pop('of')}: {shown(Evidence(**fields))}")
    for name, code in page.held.items():
        tell(f"  held: {name} for {code}")
    for what in page.missing:
        tell(f"  not seen: {what}")
    return Told(findings=page.findings)


def _fetch(url: str) -> Page:
    address = f"{url.rstrip('/')}/v1/flyball/findings"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            return msgspec.json.decode(answer.read(BYTES_MAX), type=Page)
    except urllib.error.HTTPError as fault:
        reason = f"it answers {fault.code} {fault.reason}"
    except msgspec.DecodeError:
        reason = "the answer is no page of findings"
    except (urllib.error.URLError, TimeoutError, ValueError, OSError) as fault:
        reason = str(getattr(fault, "reason", "") or fault)
    raise CannotUse(
        f"no findings from {address}: {reason}.\n"
        "    Is a gateway running there? Start one with `flyball serve`, or give another --live."
    )
