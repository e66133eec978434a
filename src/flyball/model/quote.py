"""What was guaranteed to whom: for which work, by when, at which price, until when?"""

from msgspec import Struct

from flyball.model.request import Operation
from flyball.units import Ratio, Seconds, Tokens, Usd


class Quote(Struct, frozen=True, kw_only=True):
    """One guarantee: a request no larger than this, sent before `expires_at` under `id`, is
    answered whole within `deadline_s` of its arrival here.

    `id` is drawn by the driver from a secure random source, bound to `principal` and good for one
    request. `price_usd` holds the expected cost of breaking the promise; `penalty_usd` is what
    breaking it costs. `risk` = the chance of that by the measured spread of predictions. `endpoint`
    is where the room is held.
    """

    id: str
    principal: str
    class_name: str
    model: str
    operation: Operation
    input_tokens: Tokens
    output_tokens: Tokens
    deadline_s: Seconds
    made_at: Seconds
    expires_at: Seconds
    endpoint: str
    price_usd: Usd
    penalty_usd: Usd
    risk: Ratio
