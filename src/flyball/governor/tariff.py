"""What does a request cost at a pool, as the budgets of mandates count it?

Micro-USD, whole numbers, rounded up. Where tokens are bought, it is their price. Own hardware costs
its rent for the time that the tokens take of it: a prompt token its share of prefill, an answer's
token its share of a decode step that `REFERENCE_SEQS` sequences share. That is a tariff, not a
measurement: it must be known before, and be the same for all who ask.
"""

from math import ceil

from msgspec import Struct

from flyball.model.fleet import Pool
from flyball.model.mandate import MicroUsd
from flyball.units import Tokens, usd_per_second

MICRO = 1e6
# A replica in good use: between the few sequences of a quiet hour and the hundreds of its limit.
REFERENCE_SEQS = 32.0
# Bytes per token are an estimate: what is set aside for a prompt covers one of twice the tokens.
PROMPT_MARGIN = 2


class Tariff(Struct, frozen=True, gc=False):
    """Micro-USD for one prompt token and for one token of an answer."""

    prompt: float
    answer: float

    def cost(self, prompt_tokens: Tokens, answer_tokens: Tokens) -> MicroUsd:
        """What that many tokens cost."""
        return ceil(self.prompt * prompt_tokens + self.answer * answer_tokens)


def tariff(pool: Pool) -> Tariff:
    """The pool's; the price of tokens where it has one, else the rent of its hardware."""
    # USD per million tokens and micro-USD per token are the same number.
    prompt, answer = pool.usd_per_million_input_tokens, pool.usd_per_million_output_tokens
    if prompt or answer:
        return Tariff(prompt, answer)
    profile = pool.profile
    micro_per_s = usd_per_second(profile.usd_per_hour) * MICRO
    step_s = profile.decode.base_s / REFERENCE_SEQS + profile.decode.per_seq_s
    return Tariff(micro_per_s * profile.mixed.per_prefill_token_s, micro_per_s * step_s)
