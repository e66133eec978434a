"""May this caller act on loops, and what exactly do they ask for?

Operators' acts come as `POST /v1/flyball/loops` with a JSON object. Who may is settled here, in
whichever process the connection reached; what it does is settled where the plan is made.
"""

import hmac
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Struct

from flyball.model.loop import LoopMode
from flyball.serve.relay.heads import Request
from flyball.units import Seconds

TEXT_CHARS_MAX = 200
HOLD_S_MAX: Seconds = 30 * 86400.0


class Act(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold a loop, release it, or set its mode. `loop` "" = all of them; `for_s` None = till it is
    released; `mode` None = as configured."""

    act: Literal["hold", "release", "mode"]
    loop: str = ""
    for_s: Seconds | None = None
    mode: LoopMode | None = None
    reason: str = ""
    who: str = ""


def read_act(request: Request, admin_sha256: str | None) -> Act | tuple[int, str]:
    """The act, or (status, why not)."""
    refusal = refused(request, admin_sha256)
    if refusal:
        return 403, refusal
    try:
        act = msgspec.json.decode(request.body, type=Act)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return 400, f"the body is no act of an operator: {error}"
    if act.for_s is not None and not 0.0 < act.for_s <= HOLD_S_MAX:
        return 400, f"for_s must be above 0 and at most {HOLD_S_MAX:g} (30 days)"
    if act.act == "mode" and not act.loop:
        return 400, "name the loop whose mode is to change"
    if max(len(act.loop), len(act.reason), len(act.who)) > TEXT_CHARS_MAX:
        return 400, f"names and reasons have at most {TEXT_CHARS_MAX} characters"
    return act


def refused(request: Request, admin_sha256: str | None) -> str:
    """Why this caller may not; "" = may."""
    if admin_sha256 == "":
        return ""
    if admin_sha256 is None:
        return "nobody may act on loops here: name a key with admin.key_env in the fleet file"
    given = dict(request.fields).get(b"authorization", b"").removeprefix(b"Bearer ")
    if hmac.compare_digest(sha256(given).hexdigest(), admin_sha256):
        return ""
    return "this is not the operators' key (admin.key_env in the fleet file)"
