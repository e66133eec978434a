"""What do the data sheets say of an accelerator, and what does a model need of it?

These nouns hold published facts only; how much of a data sheet's figure an engine reaches is in
`Efficiency`, fitted to measurements.
"""

from msgspec import Struct

from flyball.units import Bytes, Ratio, Seconds, Tokens, Usd, Watts

# Bytes of one weight; a 4-bit weight carries its share of block scales (16 values a scale byte).
WEIGHT_BYTES = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.5625, "int4": 0.5625}
HEAD_BYTES = 2.0  # the output layer stays in bf16
_WIDER = {"fp4": "fp8", "int4": "bf16"}


class Accelerator(Struct, frozen=True, forbid_unknown_fields=True):
    """One accelerator's data sheet: bytes, bytes/s, dense FLOP/s, watts; 0 = has no such unit.

    `link_bytes_s` = one way to the others of its server.
    """

    name: str
    memory_bytes: Bytes
    memory_bytes_s: float
    bf16_flops: float
    fp8_flops: float
    fp4_flops: float
    link_bytes_s: float
    tdp_watts: Watts
    idle_watts: Watts
    usd_per_hour: Usd
    source: str

    def flops(self, precision: str) -> float:
        """Dense FLOP/s for weights of `precision`; the next wider unit where there is none."""
        if precision == "fp4" and self.fp4_flops:
            return self.fp4_flops
        if precision in ("fp4", "fp8") and self.fp8_flops:
            return self.fp8_flops
        return self.bf16_flops


class Architecture(Struct, frozen=True, forbid_unknown_fields=True):
    """A transformer's shape, as in its published configuration.

    `ffn` = inner width of a dense layer; `experts` of width `expert_ffn`, `experts_active` of them
    per token, stand in all but `dense_layers`; `shared_ffn` = width every token passes.
    `attention_params` and `kv_values` (both per layer) are given where attention is compressed;
    `attention_layers` where not each layer keeps KV.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocabulary: int
    experts: int = 0
    experts_active: int = 0
    expert_ffn: int = 0
    shared_ffn: int = 0
    dense_layers: int = 0
    attention_params: int = 0
    kv_values: int = 0
    attention_layers: int = 0

    @property
    def kv_layers(self) -> int:
        """Layers that keep KV."""
        return self.attention_layers or self.layers

    @property
    def kv_values_per_layer(self) -> int:
        """Values of one token's KV in one layer."""
        return self.kv_values or 2 * self.kv_heads * self.head_dim

    @property
    def attention_weights(self) -> int:
        """Weights of attention in all layers."""
        own = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        return self.layers * (self.attention_params or own)

    @property
    def expert_layers(self) -> int:
        """Layers with experts."""
        return self.layers - self.dense_layers if self.experts else 0

    @property
    def dense_weights(self) -> int:
        """Weights that each token passes, beside attention, experts and the output layer."""
        dense = self.layers - self.expert_layers
        return 3 * self.hidden * (dense * self.ffn + self.expert_layers * self.shared_ffn)

    @property
    def expert_weights(self) -> int:
        """Weights of all experts in all layers."""
        return 3 * self.hidden * self.expert_ffn * self.experts * self.expert_layers

    @property
    def head_weights(self) -> int:
        """Weights of the output layer."""
        return self.hidden * self.vocabulary

    def weight_bytes(self, precision: str) -> float:
        """All weights in memory, bytes; the input embedding counts like the output layer."""
        each = WEIGHT_BYTES[precision]
        attention = self.attention_weights * self.attention_bytes(precision)
        rest = (self.dense_weights + self.expert_weights) * each
        return attention + rest + 2 * self.head_weights * HEAD_BYTES

    def attention_precision(self, precision: str) -> str:
        """Of attention's weights: 4-bit checkpoints of expert models keep them wider."""
        return _WIDER.get(precision, precision) if self.experts else precision

    def attention_bytes(self, precision: str) -> float:
        """Bytes of one attention weight in a checkpoint of `precision`."""
        return WEIGHT_BYTES[self.attention_precision(precision)]


class Layout(Struct, frozen=True, forbid_unknown_fields=True):
    """How one replica is spread: attention over `tensor`, its requests over `data` groups.

    Experts and dense layers are spread over all `tensor` x `data` accelerators.
    """

    tensor: int = 1
    data: int = 1

    def __post_init__(self) -> None:
        if self.tensor < 1 or self.data < 1:
            raise ValueError("a layout needs at least one accelerator")

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica."""
        return self.tensor * self.data


class Efficiency(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the data sheet one engine reaches, and what it adds; fitted.

    Shares of the data sheet: `memory` (weights), `kv`, `compute`, `attention` (prefill), `link`
    (long messages), `link_short`. `expert_rows` = tokens by which each loaded expert's work is
    padded (tiles of a small matrix are computed whole).
    `corner` = how well reading and computing overlap: 1 = not at all, 3 = almost wholly (set, not
    fitted). Seconds: per layer and step, per expert layer, per step, per running sequence, per
    collective operation, per request before it is queued. `held_steps` = decode steps for which the
    first token is held back: engines are run so that they stream several tokens at a time, or look
    for new requests only every few steps.
    """

    engine: str
    memory: Ratio
    kv: Ratio
    compute: Ratio
    expert_rows: float
    attention: Ratio
    link: Ratio
    link_short: Ratio
    layer_s: Seconds
    expert_layer_s: Seconds
    step_s: Seconds
    seq_s: Seconds
    collective_s: Seconds
    request_s: Seconds
    held_steps: float
    corner: float
    step_tokens_max: Tokens
    seqs_max: int
    source: str
