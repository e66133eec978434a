"""Records as a gateway writes them, with every field open to change, and copied log folders."""

from pathlib import Path
from typing import Any

from flyball.model.acts import (
    Act,
    AdminCall,
    BundleSet,
    Commitment,
    Erasure,
    FindingSet,
    MandateSet,
    Oversight,
    RevocationSet,
)
from flyball.model.decision import (
    Candidate,
    ConfigSet,
    Feasibility,
    Intent,
    Outcome,
    TurnedAway,
)
from flyball.model.signals import Settled

T0 = 1_763_600_000.0


def request_id(at: float, number: int = 0) -> str:
    return f"req_{int(at * 1000):011x}{number:06x}"


def candidate(endpoint: str = "paris-1", **changes: Any) -> Candidate:
    fields: dict[str, Any] = {
        "endpoint": endpoint,
        "ttft_s": 0.12,
        "tpot_s": 0.02,
        "cached_tokens": 512,
        "lateness_usd": 1.25e-6,
        "externality_usd": 2.5e-6,
        "resource_usd": 3e-5,
        "total_usd": 3.375e-5,
        "propensity": 1.0,
    }
    return Candidate(**(fields | changes))


def intent(number: int = 0, **changes: Any) -> Intent:
    at = changes.get("at", T0 + number)
    fields: dict[str, Any] = {
        "id": request_id(at, number),
        "at": at,
        "principal": "alice",
        "class_name": "chat",
        "session": "alice/s1",
        "session_source": "x-session-id",
        "model": "llama-3.1-8b",
        "operation": "chat",
        "attempt": 1,
        "lineage": "",
        "is_retry": False,
        "tokens_offered": 2000,
        "tokens_kept": 2000,
        "output_tokens_max": 256,
        "deadline_at": at + 60.0,
        "value_usd": 0.01,
        "rule": "price",
        "probe_arm": "",
        "endpoint": "paris-1",
        "pool": "h100-paris",
        "candidates": (
            candidate(),
            candidate("edge-1", resource_usd=8.625e-5, total_usd=9e-5, propensity=0.0),
        ),
        "candidates_count": 2,
        "feasibility": "scope-1.3",
        "board_version": 7,
        "board_age_s": 2.5,
        "view_age_s": 0.01,
        "held_s": 0.0,
        "mode": "enforce",
    }
    return Intent(**(fields | changes))


def outcome(of: Intent, **changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "id": of.id,
        "at": of.at + 2.0,
        "outcome": "served",
        "endpoint": of.endpoint,
        "attempts": of.attempt,
        "status": 200,
        "code": "",
        "reason": "",
        "input_tokens": 2003,
        "cached_tokens": 496,
        "output_tokens": 101,
        "ttft_s": 0.15,
        "e2e_s": 2.15,
        "in_time": True,
        "cost_usd": 1.1e-4,
        "principal": of.principal,
        "class_name": of.class_name,
        "model": of.model,
    }
    return Outcome(**(fields | changes))


def refusal(number: int = 0, code: str = "price_above_value", **changes: Any) -> Outcome:
    of = intent(number)
    fields: dict[str, Any] = {
        "at": of.at,
        "outcome": "refused",
        "endpoint": "",
        "attempts": 0,
        "status": 429,
        "code": code,
        "reason": "the least price is $0.013, the value $0.010",
        "price_usd": 0.013,
        "retry_after_s": 2.0,
    }
    return outcome(of, **(fields | changes))


def settled(**changes: Any) -> Settled:
    fields: dict[str, Any] = {
        "at": 10.0,
        "class_name": "chat",
        "model": "m",
        "endpoint": 0,
        "outcome": "served",
        "is_retry": False,
        "prompt_bytes": 400,
        "input_tokens": 100,
        "cached_tokens": 40,
        "output_tokens": 11,
        "ttft_s": 0.2,
        "e2e_s": 0.7,
        "ttft_s_predicted": 0.25,
        "tpot_s_predicted": 0.05,
        "in_time": True,
    }
    return Settled(**(fields | changes))


def feasibility(at: float = T0 - 1.0, **changes: Any) -> Feasibility:
    fields: dict[str, Any] = {
        "id": "scope-1.3",
        "at": at,
        "scope": "chat llama-3.1-8b",
        "allowed": ("paris-1", "edge-1"),
        "refused": (("ohio-1", "jurisdiction: US is not in EU"),),
    }
    return Feasibility(**(fields | changes))


def turned_away(number: int = 0, count: int = 1, **changes: Any) -> TurnedAway:
    at = T0 + number
    fields: dict[str, Any] = {
        "id": request_id(at, number),
        "at": at,
        "until": at + 0.25,
        "code": "bad_json",
        "status": 400,
        "reason": "it is cut off",
        "source": "192.0.2.0/24",
        "count": count,
        "ids": tuple(request_id(at, number + more) for more in range(min(count, 32))),
    }
    return TurnedAway(**(fields | changes))


CHAIN = ("a1" * 16, "b2" * 16, "c3" * 16)
HUMAN = "https://id.example|mari"
DIGEST = "sha256:" + "d4" * 32


def mandate_set(at: float = T0 - 60.0, **changes: Any) -> MandateSet:
    fields: dict[str, Any] = {
        "id": f"mandate_{int(at * 1000):011x}",
        "at": at,
        "act": "granted",
        "chain": CHAIN,
        "human": HUMAN,
        "by": HUMAN,
        "delegates": ("agent:planner", "agent:search"),
        "root_key": "root-1",
        "expires_at": T0 + 3600.0,
    }
    return MandateSet(**(fields | changes))


def revocation(at: float = T0 + 100.0, *ids: str, **changes: Any) -> RevocationSet:
    fields: dict[str, Any] = {
        "id": f"revocation_{int(at * 1000):011x}",
        "at": at,
        "feed": "eu",
        "sequence": 1,
        "ids": ids or CHAIN[1:2],
        "by": HUMAN,
        "reason": "laptop lost",
        "cut": 2,
        "effect_s": 0.4,
    }
    return RevocationSet(**(fields | changes))


def bundle_set(at: float = T0 - 120.0, **changes: Any) -> BundleSet:
    fields: dict[str, Any] = {
        "id": f"bundle_{int(at * 1000):011x}",
        "at": at,
        "digest": DIGEST,
        "role": "site",
        "version": 3,
        "in_force": True,
        "signers": ("k1", "k2"),
        "by": "ops|olav",
    }
    return BundleSet(**(fields | changes))


def oversight(at: float = T0 + 50.0, **changes: Any) -> Oversight:
    fields: dict[str, Any] = {
        "id": f"oversight_{int(at * 1000):011x}",
        "at": at,
        "act": "stop",
        "scope": "class:chat",
        "by": "ops|olav",
        "reason": "wrong answers",
        "seconded_by": HUMAN,
        "cut": 3,
        "effect_s": 0.2,
    }
    return Oversight(**(fields | changes))


def admin_call(at: float = T0 + 51.0, **changes: Any) -> AdminCall:
    fields: dict[str, Any] = {
        "id": f"admin_{int(at * 1000):011x}",
        "at": at,
        "by": "ops|olav",
        "role": "operator",
        "call": "POST /v1/flyball/loops",
        "allowed": True,
        "status": 200,
    }
    return AdminCall(**(fields | changes))


def erasure(at: float = T0 + 900.0, **changes: Any) -> Erasure:
    fields: dict[str, Any] = {
        "id": f"erasure_{int(at * 1000):011x}",
        "at": at,
        "subject": "e5" * 16,
        "months": ("2025-11",),
        "by": "dpo|ida",
        "reason": "GDPR 17 request",
    }
    return Erasure(**(fields | changes))


def finding_set(at: float = T0 + 60.0, **changes: Any) -> FindingSet:
    fields: dict[str, Any] = {
        "id": f"finding_{int(at * 1000):011x}",
        "at": at,
        "code": "FB-509",
        "level": "error",
        "stands": True,
        "loops": ("retry",),
        "scope": "pool",
        "summary": "retry: 1.03 times today's demand fills pool",
        "confidence": 0.8,
        "evidence": (("load margin", 1.03, 1.06),),
        "lead_s": 40.0,
    }
    return FindingSet(**(fields | changes))


def commitment(of: Intent, **changes: Any) -> Commitment:
    fields: dict[str, Any] = {
        "id": of.id,
        "at": of.at + 2.0,
        "subject": "e5" * 16,
        "month": "2025-11",
        "prompt": "f6" * 32,
        "answer": "07" * 32,
    }
    return Commitment(**(fields | changes))


def acts() -> list[Act]:
    """One of each kind."""
    return [
        bundle_set(),
        mandate_set(),
        revocation(),
        oversight(),
        admin_call(),
        erasure(),
        commitment(intent()),
        finding_set(),
    ]


def config(number: int, size: int = 0) -> ConfigSet:
    return ConfigSet(id=f"c{number}", at=T0 + number, digest="d", in_force=True, reason="x" * size)


def reader_of(folder: Path):
    """A function that reads one file of a log, as `check_log` wants it."""

    def read(path: str) -> bytes | None:
        file = folder / path
        return file.read_bytes() if file.is_file() else None

    return read
