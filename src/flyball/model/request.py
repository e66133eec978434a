"""What is a request: what the client sent, which class it belongs to, whose it is?"""

from typing import Literal

from msgspec import Struct

from flyball.model.mandate import Mandate
from flyball.units import Bytes, Ratio, Seconds, Tokens, Usd

Operation = Literal["chat", "completion", "embedding", "response", "message", "infer", "models"]

# Of the promised first token: what is left then is enough to be served in time (measured in the
# twin: +6 % capacity on uniform hardware, +5 % on mixed, against a refusal at once).
GATE_SHARE: Ratio = 0.5


class Promise(Struct, frozen=True, kw_only=True):
    """The latency promise of a class; 0 = not promised. E2E counts from arrival to last byte."""

    ttft_s: Seconds = 0.0
    tpot_s: Seconds = 0.0
    e2e_s: Seconds = 0.0


class ContextRule(Struct, frozen=True, kw_only=True):
    """Whether the gateway may drop the oldest turns of a class's chats, and how many tokens stay.

    `keep_system` = system messages amid the turns stay too; those before them always do.
    `probe_ratio` = share of the requests that might be cut whose cut is drawn at random, so that
    its effect can be measured.
    """

    allow_truncation: bool = False
    keep_system: bool = True
    tokens_min: Tokens = 4096
    probe_ratio: Ratio = 0.1


class OutputRule(Struct, frozen=True, kw_only=True):
    """The longest answer a class is granted; 0 = whatever the client asks for.

    `by_price` = the price may grant less than that, but never less than `tokens_min`.
    """

    tokens_max: Tokens = 0
    by_price: bool = False
    tokens_min: Tokens = 256


class ModelTier(Struct, frozen=True, kw_only=True):
    """A model that may answer in place of a larger one, and its answer's worth as a share of that
    one's."""

    model: str
    value_ratio: Ratio = 1.0


class SessionRules(Struct, frozen=True, kw_only=True):
    """What holds for the sessions of a class: each is a program whose worth is its completion.

    `value_usd` = worth of a completed session; 0 = that of an answer times the steps expected.
    `steps` = first guess of their lengths, as quantiles ((probability, steps), ...); () = a
    geometric one. Budgets of one session (0 = none): calls, prompt and answer tokens, USD at the
    prices of the places it ran, seconds since its first call, USD per minute. A first step may
    wait `wait_s_max` for room; a later one is placed late, by `late_s_max` at most, where a request
    outside a session would be refused. After `idle_s_max` without a call it has ended. New sessions
    begin while the contexts of those under way fill less than `kv_ratio_max` of the fleet's KV.
    `runaway`: what to do about a session that goes round in circles: `repeats_max` calls in a row
    that bring nothing new, or `compactions_max` contexts in a row filled and thrown away again.
    """

    value_usd: Usd = 0.0
    steps: tuple[tuple[float, float], ...] = ()
    steps_max: int = 0
    tokens_max: Tokens = 0
    usd_max: Usd = 0.0
    wall_s_max: Seconds = 0.0
    usd_per_minute_max: Usd = 0.0
    wait_s_max: Seconds = 120.0
    late_s_max: Seconds = 60.0
    idle_s_max: Seconds = 600.0
    kv_ratio_max: Ratio = 0.6
    runaway: Literal["off", "warn", "stop"] = "stop"
    repeats_max: int = 12
    compactions_max: int = 5


class SessionBudget(Struct, frozen=True, kw_only=True, gc=False):
    """What a client wants its session to use at most; 0 = no wish. It narrows, never widens."""

    steps: int = 0
    tokens: Tokens = 0
    usd: Usd = 0.0
    wall_s: Seconds = 0.0


class RequestClass(Struct, frozen=True, kw_only=True):
    """Requests alike in model, latency class, data class and origin.

    `value_usd` is what one answer in time is worth. `jurisdictions` () = anywhere. A sheddable
    class may be refused for its price alone. `output_tokens_mean` seeds the estimate of answer
    length. `objective` is the contract: the share of requests to be answered as promised over
    `objective_window_s`. `penalty_usd` is what one broken guarantee costs on top of the answer's
    value. A `realtime` class has a hard `deadline_s`, end to end: what will probably miss it is
    refused at once. `client_rtt_s` = round trip between its clients and this gateway, taken off
    every end-to-end time where the client does not tell its own. `tiers` = models in falling order
    of worth: a request for one of them may be answered by a later one. `allow_hedge` = a second
    copy may be sent where it is worth its price. `sessions` = what holds for its agents' sessions;
    None = each request stands alone. For policy: `data_home` = the jurisdiction the data belongs
    to, `transfer_basis` = on which ground it may leave it, `purpose` = what it is processed for.
    """

    name: str
    value_usd: Usd = 0.01
    promise: Promise = Promise()
    jurisdictions: tuple[str, ...] = ()
    data_class: str = "public"
    sheddable: bool = False
    queue_s_max: Seconds | None = None
    output_tokens_mean: Tokens = 256
    deadline_s: Seconds = 600.0
    context: ContextRule = ContextRule()
    output: OutputRule = OutputRule()
    tiers: tuple[ModelTier, ...] = ()
    allow_hedge: bool = False
    objective: Ratio = 0.99
    objective_window_s: Seconds = 86_400.0
    penalty_usd: Usd = 0.0
    realtime: bool = False
    client_rtt_s: Seconds = 0.0
    sessions: SessionRules | None = None
    data_home: str = ""
    transfer_basis: str = ""
    purpose: str = ""

    @property
    def gate_s_max(self) -> Seconds:
        """Longest wait at the gate for room: as set, else half of the time promised to the first
        token. A no said at once brings most clients back, when their promise is past saving."""
        if self.queue_s_max is not None:
            return self.queue_s_max
        return GATE_SHARE * self.promise.ttft_s


class Principal(Struct, frozen=True, kw_only=True):
    """Whom an API key stands for, and which classes and models that party may use.

    `key_sha256` = lower-case hex SHA-256 of the key, so that no secret is kept. () = no
    restriction.
    """

    name: str
    key_sha256: str
    classes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    default_class: str = ""


class RequestHead(Struct, frozen=True, kw_only=True, gc=False):
    """What a driver read off one request: all that a decision may depend on, and no prompt text.

    `prefix` = chained 64-bit hashes of the prompt's leading blocks of `prefix_block_bytes` bytes;
    entry i covers blocks 0..i. `body_digest` = 64-bit hash of the prompt, to recognise a repeat;
    `last_digest` = that of what was added last (a tool's result, a user's words), 0 = not read.
    `mandate` = what the driver verified the key to be, where that is a token. `quote` = id of the
    quote it is covered by. `client_rtt_s` and `sent_at` (Unix seconds by the
    client's clock) tell how far away the client is; 0 = it does not say.
    """

    operation: Operation
    model: str
    stream: bool = False
    key_sha256: str = ""
    class_hint: str = ""
    session_hint: str = ""
    session_source: str = ""
    retry_count: int = 0
    prompt_bytes: Bytes = 0
    output_tokens_max: Tokens = 0
    prefix: tuple[int, ...] = ()
    prefix_block_bytes: Bytes = 1024
    body_digest: int = 0
    jurisdiction_hint: str = ""
    deadline_s: Seconds = 0.0
    ttft_s_max: Seconds = 0.0
    tpot_s_max: Seconds = 0.0
    priority: int = 0
    quote: str = ""
    client_rtt_s: Seconds = 0.0
    sent_at: Seconds = 0.0
    last_digest: int = 0
    session_budget: SessionBudget | None = None
    mandate: Mandate | None = None
