"""What is written down of people's and policy's acts: bundles, mandates, revocations, stops?

Each names the person (or key) behind it. No token, key or prompt text: ids and digests only.
"""

from typing import Literal

from msgspec import Struct

from flyball.units import Seconds

MandateAct = Literal["granted", "attenuated", "approved", "exchanged", "mapped"]
OversightAct = Literal["stop", "resume", "override", "hold", "release"]


class BundleSet(Struct, frozen=True, kw_only=True, tag="bundle", tag_field="kind"):
    """A policy bundle came into force, or was refused for `reason`. `digest` = sha256:<hex>.

    `role` = "workload" or "site"; `signers` = ids of the keys that signed it; `replaced` = the
    digest it took the place of.
    """

    id: str
    at: Seconds
    digest: str
    role: str
    version: int
    in_force: bool
    reason: str = ""
    signers: tuple[str, ...] = ()
    replaced: str = ""
    by: str = ""


class MandateSet(Struct, frozen=True, kw_only=True, tag="mandate", tag_field="kind"):
    """A mandate was granted, narrowed, approved or exchanged here. `chain` = revocation ids."""

    id: str
    at: Seconds
    act: MandateAct
    chain: tuple[str, ...]
    human: str
    by: str
    delegates: tuple[str, ...] = ()
    root_key: str = ""
    expires_at: Seconds = 0.0
    reason: str = ""


class RevocationSet(Struct, frozen=True, kw_only=True, tag="revocation", tag_field="kind"):
    """Mandates were revoked: from this record on none of them admits anything.

    `feed` and `sequence` = whose event this is. `cut` = requests in flight that were ended here,
    `effect_s` = from the event's making to the last of them. `ids` = of blocks; `subjects` = people
    and sessions ("human:ISSUER|SUBJECT", "session:ISSUER|SESSION") whose mandates granted up to
    `made_at` (Unix seconds, 0 = `at`) are void.
    """

    id: str
    at: Seconds
    feed: str
    sequence: int
    ids: tuple[str, ...]
    by: str
    reason: str
    cut: int = 0
    effect_s: Seconds = 0.0
    subjects: tuple[str, ...] = ()
    made_at: Seconds = 0.0


class Oversight(Struct, frozen=True, kw_only=True, tag="oversight", tag_field="kind"):
    """A named person stopped, overrode or held something. `scope` = what, such as "class:chat".

    `seconded_by` = the second person where policy asks for two. `effect_s` = measured from the
    person's command to the last request that it ended.
    """

    id: str
    at: Seconds
    act: OversightAct
    scope: str
    by: str
    reason: str
    seconded_by: str = ""
    until: Seconds = 0.0
    cut: int = 0
    effect_s: Seconds = 0.0


class AdminCall(Struct, frozen=True, kw_only=True, tag="admin-call", tag_field="kind"):
    """Someone called the admin API: who, in which role, what, and whether it was allowed."""

    id: str
    at: Seconds
    by: str
    role: str
    call: str
    allowed: bool
    status: int
    reason: str = ""


class Erasure(Struct, frozen=True, kw_only=True, tag="erasure", tag_field="kind"):
    """The keys of a subject's sealed payloads were destroyed. `subject` = its commitment."""

    id: str
    at: Seconds
    subject: str
    months: tuple[str, ...]
    by: str
    reason: str


class Commitment(Struct, frozen=True, kw_only=True, tag="commitment", tag_field="kind"):
    """What was asked and answered, as keyed hashes that say nothing without the subject's key.

    `id` = the request's; `subject` = commitment to whom it is about; `month` = whose key was used
    ("2026-11"); `prompt` and `answer` = HMAC-SHA256 in hex, "" = there was none; `is_sealed` = the
    texts themselves are kept, encrypted under that key. `endpoint` = where the request ran last;
    `is_cut` = the answer went on after what is committed to.
    """

    id: str
    at: Seconds
    subject: str
    month: str
    prompt: str = ""
    answer: str = ""
    is_sealed: bool = False
    endpoint: str = ""
    is_cut: bool = False


class FindingSet(Struct, frozen=True, kw_only=True, tag="finding", tag_field="kind"):
    """Diagnosis of the fleet's loops found something, or (`stands` false) finds it no more.

    `code` = FB-nnn, `level` = note, warning or error; `loops` = the one to act on first, first.
    `evidence` = (what, measured value, limit). `lead_s` = until users are harmed, None = unknown.
    """

    id: str
    at: Seconds
    code: str
    level: str
    stands: bool
    loops: tuple[str, ...]
    scope: str
    summary: str
    confidence: float
    evidence: tuple[tuple[str, float, float | None], ...]
    lead_s: Seconds | None = None


Act = (
    BundleSet
    | MandateSet
    | RevocationSet
    | Oversight
    | AdminCall
    | Erasure
    | Commitment
    | FindingSet
)
