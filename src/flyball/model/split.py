"""How do the engines behind one endpoint share the work of a request, and over which link?

Prefill/decode disaggregation (Splitwise, arXiv 2311.18677; DistServe, arXiv 2401.09670): a prompt
and its first token are made by a prefill engine, its KV is sent, a decode engine makes the rest.
"""

from msgspec import Struct
from msgspec.structs import replace

from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.units import Seconds, Tokens


class Split(Struct, frozen=True, kw_only=True):
    """`prefill` and `decode` engines, each of the profile `engine`, behind one endpoint.

    Each prefill engine has a link of `link_bytes_s`; `kv_token_bytes` = bytes of one token's KV;
    `parts` = in how many equal parts a prompt's KV is sent while it is computed (its layers), 1 =
    all at once when it is done. ValueError if none can work.
    """

    engine: Profile
    prefill: int
    decode: int
    link_bytes_s: float
    kv_token_bytes: float
    link_latency_s: Seconds = 0.0
    parts: int = 1

    def __post_init__(self) -> None:
        if min(self.prefill, self.decode, self.parts) < 1:
            raise ValueError("a split needs a prefill engine, a decode engine and a part to send")
        if not self.link_bytes_s > 0 or self.kv_token_bytes < 0 or self.link_latency_s < 0:
            raise ValueError("a split's link needs a rate above 0, its latency and bytes not below")

    def sent(self, begun: Seconds, done: Seconds, free: Seconds, prompt: Tokens) -> Seconds:
        """When the KV of a prompt has left a link that is free from `free` on.

        The prompt is computed from `begun` to `done`, its n parts evenly in that time; B/R = bytes
        over rate. The last part leaves at the makespan of two machines in line on n equal jobs
        (Johnson, Naval Research Logistics Quarterly 1954), the second being busy until `free`:

            max(done + B / (R n),  max(begun + (done - begun) / n, free) + B / R)

        n = 1 sends after the prompt: max(done, free) + B/R. Splitwise sends layer by layer.
        """
        whole_s = prompt * self.kv_token_bytes / self.link_bytes_s
        first = begun + (done - begun) / self.parts if self.parts > 1 else done
        return max(done + whole_s / self.parts, max(first, free) + whole_s)

    def as_one(self) -> Profile:
        """What the endpoint looks like from outside: one engine's costs, shared out.

        A first guess for whoever must price it, not what the plant runs on: many prompts go through
        all prefill engines at once and answers through all decode engines; power, price and
        accelerators are those of all. One prompt alone takes `prefill` times as long as told here,
        and that prompts do not slow answers is not in a profile's form.
        """
        one, prefill, decode = self.engine, self.prefill, self.decode
        count, limits, power = prefill + decode, one.limits, one.power
        return replace(
            one,
            name=f"{one.name} {prefill}P{decode}D",
            decode=self._shared(one.decode, decode),
            mixed=self._shared(one.mixed, max(prefill, decode)),
            limits=EngineLimits(
                seqs_max=limits.seqs_max * decode,
                step_tokens_max=max(limits.step_tokens_max * prefill, limits.seqs_max * decode),
                kv_tokens_max=limits.kv_tokens_max * decode,
                block_tokens=limits.block_tokens,
            ),
            power=PowerCurve(
                power.idle_watts * count, power.full_watts * count, power.half_batch * count
            ),
            accelerators=one.accelerators * count,
            usd_per_hour=one.usd_per_hour * count,
        )

    def _shared(self, cost: StepCost, stretch: int) -> StepCost:
        return replace(
            cost,
            per_seq_s=cost.per_seq_s / self.decode,
            per_kv_token_s=cost.per_kv_token_s / self.decode,
            per_prefill_token_s=cost.per_prefill_token_s / self.prefill,
            per_prefill_context_s=cost.per_prefill_context_s / self.prefill,
            curve=tuple((tokens * stretch, more_s) for tokens, more_s in cost.curve),
        )
