"""Routes by weights to one pool per kind of hardware, and llm-d's endpoint picker inside each pool.

What an operator of unlike hardware can set by hand: an HTTPRoute that shares out requests among
InferencePools by weight, by a consistent hash of the session, so that it stays where its cache is.
A pool's weight = replicas x speed ^ exponent, with a rule for classes of tight promises and one for
the others: 0 = by count, 1 = as fast as they are, more = the fast ones first.
"""

from collections.abc import Sequence
from zlib import crc32

from flyball.model.fleet import Pool
from flyball.sim.rivals.epp_default import EppDefault
from flyball.sim.rivals.router import Ask, EndpointView, Pick
from flyball.units import Ratio, Seconds

_HASHES = 2**32


class PoolSplit(EppDefault):
    """Speed = steps per second at the reference batch of the constants."""

    name = "pool_split"

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> Pick:
        """The pool by weight, then the picker's choice inside it."""
        session = ask.head.session_hint
        is_tight = 0.0 < ask.klass.promise.ttft_s <= self.constants["tight_ttft_s"]
        exponent = self.constants["tight_exponent" if is_tight else "other_exponent"]
        drawn = crc32(session.encode()) / _HASHES if session else self.setting.chance.random()
        weights = [self._speed(one.pool) ** exponent for one in endpoints]
        name = self._pool(endpoints, weights, drawn)
        return super().pick(at, ask, [one for one in endpoints if one.pool.name == name])

    def _pool(
        self, endpoints: Sequence[EndpointView], weights: Sequence[float], drawn: Ratio
    ) -> str:
        left = drawn * sum(weights)
        for one, weight in zip(endpoints, weights, strict=True):
            left -= weight
            if left < 0.0:
                return one.pool.name
        return endpoints[-1].pool.name

    def _speed(self, pool: Pool) -> float:
        c = self.constants
        return 1.0 / pool.profile.decode_step_s(c["batch"], c["batch"] * c["context_tokens"])
