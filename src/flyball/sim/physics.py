"""How long would a step take on hardware that nobody has measured, from its data sheet alone?

A step of t tokens (decoding sequences + prompt tokens) on g accelerators takes

    linear layers    (a^c + b^c)^(1/c), a = weights read / memory,
                     b = 2 x (weights x t + experts loaded x rows of padding) / compute;
                     attention computes at the width its weights are kept in
    KV               KV bytes of the decoding sequences / memory
    prefill          4 x heads x head_dim x layers x p (prefix + p / 2) / compute (FlashAttention)
    communication    2 per layer, the faster of: short messages, latency + m / short link rate, and
                     long ones, ring latency + m / link rate; m = 4 (g - 1) / g x t x hidden bytes
    host             per layer, per expert layer, per step, per running sequence

where each rate is the data sheet's times a share that the engine reaches (`Efficiency`), and of E
experts, k per token, a step loads E (1 - (1 - k/E)^t), as if tokens chose independently.
The exponent c softens the corner of the roofline (Williams et al., CACM 2009), where kernels reach
neither bound.
"""

from functools import lru_cache

import numpy as np

from flyball.dialects.sheets import accelerators, architectures, efficiencies, named
from flyball.model.hardware import (
    HEAD_BYTES,
    WEIGHT_BYTES,
    Accelerator,
    Architecture,
    Efficiency,
    Layout,
)
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost

BLOCK_TOKENS = 16
MEMORY_SHARE = 0.9  # vLLM's gpu_memory_utilization
WORK_BYTES = 4e9  # activations and graphs per accelerator
KNOTS = 40
RING_S = 25e-6  # latency of one ring all-reduce inside a server (NCCL, order of magnitude)
_KV_BYTES = {"bf16": 2.0, "int4": 2.0, "fp8": 1.0, "fp4": 1.0}


def profile_of(
    accelerator: str,
    model: str,
    layout: Layout | int = 1,
    precision: str = "bf16",
    engine: str = "vllm",
    *,
    efficiency: Efficiency | None = None,
    seqs_max: int = 0,
    step_tokens_max: int = 0,
    kv_tokens_max: int = 0,
) -> Profile:
    """The profile of one replica from data sheets; limits of 0 = the engine's defaults.

    Raises ValueError for an unknown name or precision, or if the weights leave no room for KV.
    """
    chip = named(accelerators(), accelerator, "accelerator")
    shape = named(architectures(), model, "model")
    reached = efficiency or named(efficiencies(), engine, "engine")
    if precision not in WEIGHT_BYTES:
        raise ValueError(f"no precision {precision!r}: there are {', '.join(WEIGHT_BYTES)}")
    spread = Layout(layout) if isinstance(layout, int) else layout
    limits = EngineLimits(
        seqs_max=seqs_max or reached.seqs_max,
        step_tokens_max=step_tokens_max or max(reached.step_tokens_max, seqs_max),
        kv_tokens_max=kv_tokens_max or _kv_room(chip, shape, spread, precision),
        block_tokens=BLOCK_TOKENS,
    )
    roof = _Roofline(chip, shape, spread, precision, reached)
    count = spread.accelerators
    return Profile(
        name=f"{accelerator.lower()}x{count}/{model}/{precision}/{engine}",
        accelerator=accelerator,
        model=model,
        accelerators=count,
        decode=roof.decode(limits.seqs_max),
        mixed=roof.mixed(limits.step_tokens_max),
        limits=limits,
        power=PowerCurve(chip.idle_watts * count, chip.tdp_watts * count),
        request_overhead_s=reached.request_s,
        usd_per_hour=chip.usd_per_hour * count,
        source=f"data sheets; engine efficiency: {reached.source}",
        error="computed, not measured: see the accuracy page",
    )


def _kv_room(chip: Accelerator, shape: Architecture, spread: Layout, precision: str) -> int:
    """Tokens of KV that one replica has room for; ValueError if the weights do not fit."""
    count = spread.accelerators
    weights = shape.weight_bytes(precision)
    room = (MEMORY_SHARE * chip.memory_bytes - WORK_BYTES) * count - weights
    token_bytes = shape.kv_values_per_layer * shape.kv_layers * _KV_BYTES[precision]
    copies = spread.tensor / _kv_shards(shape, spread)
    tokens = int(room / (token_bytes * copies)) if room > 0 else 0
    if tokens < BLOCK_TOKENS:
        raise ValueError(
            f"{shape.name} in {precision} needs {weights / 1e9:.0f} GB for its weights, "
            f"{count} x {chip.name} have {count * chip.memory_bytes / 1e9:.0f} GB: use more"
        )
    return tokens


def _kv_shards(shape: Architecture, spread: Layout) -> int:
    """Into how many parts one token's KV is split: by heads; compressed KV is copied."""
    return 1 if shape.kv_values else min(spread.tensor, shape.kv_heads)


class _Roofline:
    """Step cost of one (accelerator, model, layout, precision, engine), term by term."""

    def __init__(
        self,
        chip: Accelerator,
        shape: Architecture,
        spread: Layout,
        precision: str,
        reached: Efficiency,
    ) -> None:
        count = spread.accelerators
        self.shape, self.spread, self.reached, self.count = shape, spread, reached, count
        peak = chip.flops(precision)
        self.memory = chip.memory_bytes_s * reached.memory
        each = WEIGHT_BYTES[precision]
        self.attention_bytes = (
            shape.attention_weights * shape.attention_bytes(precision) / spread.tensor
        )
        self.dense_bytes = (shape.dense_weights * each + shape.head_weights * HEAD_BYTES) / count
        self.expert_bytes = shape.expert_weights * each / count
        active = shape.expert_weights * shape.experts_active / max(1, shape.experts)
        attention_peak = chip.flops(shape.attention_precision(precision))
        through = shape.attention_weights / attention_peak + (shape.dense_weights + active) / peak
        self.token_s = 2.0 * through / reached.compute / count
        padded = shape.expert_weights * reached.expert_rows
        self.padding_s = 2.0 * padded / (peak * reached.compute) / count
        kv_bytes = shape.kv_values_per_layer * shape.kv_layers * _KV_BYTES[precision]
        shards = _kv_shards(shape, spread) * spread.data
        self.kv_token_s = kv_bytes / shards / (chip.memory_bytes_s * reached.kv)
        self.context_s = (
            4.0 * shape.heads * shape.head_dim * shape.kv_layers
            / count / (chip.bf16_flops * reached.attention)
        )  # fmt: skip
        self.link = chip.link_bytes_s

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """Seconds of a step of so many tokens, without KV and prefill attention."""
        shape, reached, spread = self.shape, self.reached, self.spread
        corner = reached.corner
        touched = 1.0 - (1.0 - shape.experts_active / max(1, shape.experts)) ** tokens
        read = self.attention_bytes + self.dense_bytes + self.expert_bytes * touched
        computed = self.token_s * tokens + self.padding_s * touched
        linear = ((read / self.memory) ** corner + computed**corner) ** (1.0 / corner)
        host = shape.layers * reached.layer_s + shape.expert_layers * reached.expert_layer_s
        total = linear + host + reached.step_s
        if self.count > 1:
            sent = 2.0 * (self.count - 1) / self.count * tokens / spread.data * shape.hidden * 2.0
            short = reached.collective_s + sent / (self.link * reached.link_short)
            long = RING_S + sent / (self.link * reached.link)
            total += 2.0 * shape.layers * np.minimum(short, long)
        return total

    def decode(self, seqs_max: int) -> StepCost:
        """Cost of a step that only decodes, bent where it is not linear in its sequences."""
        base, slope, curve = self._bent(seqs_max)
        return StepCost(base, slope + self.reached.seq_s, self.kv_token_s, curve=curve)

    def mixed(self, tokens_max: int) -> StepCost:
        """Cost of a step that also carries prompt tokens."""
        base, slope, curve = self._bent(tokens_max)
        return StepCost(
            base, slope + self.reached.seq_s, self.kv_token_s, slope, self.context_s, curve
        )

    def _bent(self, tokens_max: int) -> tuple[float, float, tuple[tuple[float, float], ...]]:
        """A line through the cost, least squares, and what it leaves at knots 12 % apart."""
        tokens = np.array(_knots(tokens_max), dtype=float)
        cost = self.step(tokens)
        slope, base = np.polyfit(tokens, cost, 1) if len(tokens) > 1 else (0.0, cost[0])
        slope, base = max(float(slope), 0.0), max(float(base), 0.0)
        left = cost - base - slope * tokens
        return base, slope, tuple(zip(tokens.tolist(), left.tolist(), strict=True))


@lru_cache(maxsize=64)
def _knots(tokens_max: int) -> tuple[int, ...]:
    """Token counts from 1 to `tokens_max`, evenly spaced in their logarithm."""
    spread = np.geomspace(1, tokens_max, KNOTS).round()
    return tuple(sorted({int(one) for one in spread}))
