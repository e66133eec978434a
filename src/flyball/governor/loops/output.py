"""How long an answer is granted: the client's bound, the class's, and what the price affords?"""

from math import inf

from flyball.model.loop import Loop
from flyball.model.request import OutputRule
from flyball.units import Tokens, Usd

OUTPUT = Loop(
    name="output",
    sensor="price of one more answer token at the chosen endpoint",
    actuator="request.output_tokens_max",
    objective="no answer costs more than it is worth",
    period_s=0.0,
    limit_low=1.0,
)


def affordable(value_usd: Usd, price_usd: Usd, tokens: Tokens, usd_per_token: Usd) -> float:
    """Tokens at which an answer's price reaches its value; infinite where tokens cost nothing.

    `price_usd` = price of the answer with the `tokens` expected.
    """
    if usd_per_token <= 0.0:
        return inf
    return tokens + (value_usd - price_usd) / usd_per_token


def granted(rule: OutputRule, asked: Tokens, most: float) -> Tokens:
    """The bound to set, 0 = none; `asked` 0 = the client set none, `most` = what the price affords.

    Never more than asked, never more than the class allows, and by price never less than
    `tokens_min`.
    """
    bound = float(asked or inf)
    if rule.tokens_max:
        bound = min(bound, rule.tokens_max)
    if rule.by_price and most < bound:
        bound = min(bound, max(float(rule.tokens_min), most))
    return 0 if bound == inf else int(bound)
