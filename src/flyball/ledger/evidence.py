"""Which field that a law asks for stands where in these records, and which is not recorded?

The table is of the project's design notes; it says where evidence was found in a stretch of log,
not that a duty is met: have a lawyer check. Articles: Regulation (EU) 2024/1689 (AI Act), GDPR,
Regulation (EU) 2022/2554 (DORA), Directive (EU) 2022/2555 (NIS2), 45 CFR 164 (HIPAA), ISO/IEC 42001
annex A, NIST AI RMF 1.0.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from flyball.model.acts import Commitment, Oversight
from flyball.model.decision import Intent, Outcome, Record, Warrant
from flyball.units import Seconds

NOT_RECORDED = "not recorded"


class Row(Struct, frozen=True):
    """One line of the table: what is asked, by whom, and where it is found (or NOT_RECORDED)."""

    control: str
    requirement: str
    found: str


class Tally:
    """Counts what the table needs, as records pass by in any order."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.humans: set[str] = set()
        self.with_human = self.with_policies = self.with_bundles = self.approvals = 0
        self.with_prompt = 0
        self.refusals: Counter[str] = Counter()
        self.endpoints: set[str] = set()
        self.effects: list[tuple[str, Seconds]] = []
        self.first_at: Seconds = float("inf")
        self.last_at: Seconds = float("-inf")

    def add(self, record: Record) -> None:
        """Take one record."""
        self.kinds[msgspec.to_builtins(record)["kind"]] += 1
        self.first_at = min(self.first_at, record.at)
        self.last_at = max(self.last_at, record.at)
        if isinstance(record, Intent):
            self.endpoints.add(record.endpoint)
            if isinstance(record.warrant, Warrant):
                self._warrant(record.warrant)
        elif isinstance(record, Outcome) and record.code:
            self.refusals[record.code] += 1
        elif isinstance(record, Oversight):
            self.effects.append((record.act, record.effect_s))
        elif isinstance(record, Commitment):
            self.with_prompt += bool(record.prompt)

    def _warrant(self, warrant: Warrant) -> None:
        if warrant.human:
            self.with_human += 1
            self.humans.add(warrant.human)
        self.with_policies += bool(warrant.policies)
        self.with_bundles += bool(warrant.bundles)
        self.approvals += len(warrant.approvals)

    def rows(self) -> list[Row]:
        """The table."""
        kinds = self.kinds
        intents, outcomes = kinds["intent"], kinds["outcome"]
        slowest = max((effect for _, effect in self.effects), default=0.0)
        stops = f"oversight: {kinds['oversight']} acts, slowest effect {slowest:.2f} s"
        changes = kinds["config"] + kinds["bundle"]
        found: list[tuple[str, str, str]] = [
            ("start and end of each use, automatic", "AI Act 12(1), 12(3)(a)",
             f"intent.at ({intents}), outcome.at ({outcomes})" if intents else ""),
            ("input commitment", "AI Act 12(3)(b-d), 12(2)",
             f"commitment.prompt ({self.with_prompt})" if self.with_prompt else ""),
            ("configuration in force and its changes", "AI Act 12(2)(a), 72; ISO 42001 A.6.2.8",
             f"config.digest, bundle.digest ({changes})" if changes else ""),
            ("risk events, drift signals, model digest", "AI Act 12(2)(a), 72",
             _count("finding", kinds)),
            ("retention, under the deployer's control", "AI Act 19(1), 26(6)",
             "the log itself: see `ledger.retention_days` of the deployment"),
            ("overseer, stop and override with effect time", "AI Act 14(4)(d-e), 26(2)",
             stops if kinds["oversight"] else ""),
            ("approvals by a second person", "AI Act 14(5)",
             f"intent.warrant.approvals ({self.approvals})" if self.approvals else ""),
            ("reasons of each decision, prices then", "AI Act 13, 14(4)(c), 86; GDPR 15(1)(h), 22",
             f"intent.rule, intent.candidates ({intents}), "
             f"intent.warrant.policies ({self.with_policies})" if intents else ""),
            ("where it was processed", "GDPR 28(3)(a), 30(1)(e), 44-49; DORA 28(3), 30(2)(b)",
             f"intent.pool, intent.endpoint ({len(self.endpoints)} endpoints)" if intents else ""),
            ("purpose, lawful basis, data class", "GDPR 5(1)(b), 5(2), 9",
             f"by the class in intent.class_name and the bundles asked ({self.with_bundles})"
             if self.with_bundles else ""),
            ("erasure", "GDPR 17", _count("erasure", kinds)),
            ("incident id, severity, recovery times", "DORA 17-19; NIS2 23", ""),
            ("unique user, who, what, when", "HIPAA 164.312(a)(2)(i), (b)",
             f"intent.warrant.human ({self.with_human} of {intents}, {len(self.humans)} people)"
             if self.with_human else ""),
            ("integrity", "HIPAA 164.312(c); AI Act 12", "the Merkle proof beside each record"),
            ("delegation and its end", "NIST AI RMF GOVERN 2.1, 3.2; MANAGE 2.4",
             f"mandate ({kinds['mandate']}), revocation ({kinds['revocation']})"
             if kinds["mandate"] or kinds["revocation"] else ""),
            ("access by administrators", "ISO 42001 A.6.2.8; HIPAA 164.312(b)",
             _count("admin-call", kinds)),
            ("errors and refusals", "ISO 42001 A.6.2.8",
             f"outcome.code ({sum(self.refusals.values())}), turned-away ({kinds['turned-away']})"
             if self.refusals or kinds["turned-away"] else ""),
            ("acts of automatic control", "AI Act 14; NIST AI RMF MEASURE 2.8",
             _count("loop-action", kinds)),
        ]  # fmt: skip
        return [Row(control, law, where or NOT_RECORDED) for control, law, where in found]


def _count(kind: str, kinds: Counter[str]) -> str:
    return f"{kind} ({kinds[kind]})" if kinds[kind] else ""


def is_of(record: Record, subject: str, ids: set[str]) -> bool:
    """Whether it is about the subject (principal, human or commitment tag), or one of `ids`."""
    if record.id in ids or getattr(record, "principal", None) == subject:
        return True
    warrant = getattr(record, "warrant", None)
    people = {getattr(record, name, None) for name in ("human", "subject", "by", "seconded_by")}
    if isinstance(warrant, Warrant):
        people |= {warrant.human, warrant.actor}
    return subject in people


def ids_of(records: Iterable[Record], subject: str) -> set[str]:
    """The ids of all that the subject asked for, so that their outcomes are found too."""
    return {record.id for record in records if is_of(record, subject, set())}
