"""Why was this request placed, held or refused, in plain words and price by price?

Records in, sections of sentences and tables out; nothing is read or printed here. Prices are shown
in µ$ (millionths of a US dollar), as one request costs little.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from flyball.ledger.behalf import authority_section
from flyball.ledger.section import Section, Table, utc
from flyball.ledger.verify import Inclusion
from flyball.model.decision import (
    Candidate,
    Feasibility,
    Intent,
    Outcome,
    Record,
    TurnedAway,
    Warrant,
)
from flyball.model.faults import FAULTS
from flyball.units import Ratio, Seconds, Usd, ms_from_seconds

_MICRO_USD = 1e6
_RULED_OUT_MAX = 24  # beyond, one row per rule instead of one per endpoint
_SOURCES = {
    "": "it belongs to no session: the client named none and the prompt was too short to tell",
    "prefix": "recognised by its prompt, which continues an earlier one",
    "new-prefix": "new: its prompt continues none seen before",
}
_RULES = {
    "single": "it was the only endpoint allowed.",
    "probe": "it was drawn at random, as a probe of how the fleet answers",
    "fallback-stale-view": "the view of the fleet was too old to price by, so the work went where "
    "least of it waits (weighted least-request), keeping sessions in place.",
    "fallback-mispredicted": "predictions were too far off to price by, so the work went where "
    "least of it waits (weighted least-request), keeping sessions in place.",
}
_OUTCOMES = {
    "served": "It was served",
    "refused": "It was refused",
    "failed": "It failed",
    "client-gone": "The client left before the answer was whole",
    "deadline": "Its deadline passed",
    "truncated-stream": "The stream broke after it had begun",
    "lost": "Nobody saw its end: the gateway was killed meanwhile",
}
_PARTIES = {
    "caller": "the caller",
    "fleet": "the fleet (it has not the capacity or health now)",
    "policy": "policy (an operator decided so)",
    "own": "this gateway",
}


class Case(Struct, frozen=True, kw_only=True):
    """All that the logs tell of one id: its own records in order, and what they point to.

    `authority` = the acts that its mandate, bundles and stops are made of, in order.
    """

    id: str
    records: tuple[Record, ...]
    retries: tuple[Record, ...] = ()
    feasibility: Feasibility | None = None
    inclusions: tuple[Inclusion, ...] = ()
    unproven: int = 0
    authority: tuple[Record, ...] = ()

    @property
    def intents(self) -> list[Intent]:
        """Its attempts, in order."""
        return [record for record in self.records if isinstance(record, Intent)]

    @property
    def outcome(self) -> Outcome | None:
        """What happened in the end; None while it runs."""
        found = [record for record in self.records if isinstance(record, Outcome)]
        return found[-1] if found else None

    @property
    def named_feasibility(self) -> str:
        """The id of the Feasibility record that its decision names, or ""."""
        if self.intents:
            return self.intents[-1].feasibility
        return self.outcome.feasibility if self.outcome else ""


def explain(case: Case) -> list[Section]:
    """The sections, in the order in which the decision was made."""
    intents, outcome = case.intents, case.outcome
    if not intents and outcome is None:
        return [
            *(
                _turned_away(record, case.id) if isinstance(record, TurnedAway) else _plain(record)
                for record in case.records
            ),
            _proof(case),
        ]
    sections = [_asked(case)]
    if case.authority or any(isinstance(one.warrant, Warrant) for one in intents):
        sections.append(authority_section(intents[-1], case.authority))
    ruled_out = _ruled_out(case)
    if ruled_out is not None:
        sections.append(ruled_out)
    for intent in intents:
        sections.append(_candidates(intent, len(intents)))
        sections.append(_chosen(intent))
    sections.append(_happened(intents[-1] if intents else None, outcome))
    if outcome is not None and outcome.code:
        sections.append(_refusal(intents[-1] if intents else None, outcome))
    if case.retries or (intents and intents[0].is_retry):
        sections.append(_lineage(case))
    return [*sections, _proof(case)]


def text_lines(sections: Sequence[Section]) -> list[str]:
    """The sections as plain lines, tables with aligned columns."""
    lines: list[str] = []
    for section in sections:
        lines += [section.heading, *(f"  {line}" for line in section.lines)]
        if section.table is not None:
            lines += [f"  {line}" for line in _aligned(section.table)]
        lines.append("")
    return lines[:-1]


def _asked(case: Case) -> Section:
    first = case.intents[0] if case.intents else None
    if first is None:
        outcome = case.outcome
        assert outcome is not None  # explain() has seen to it
        who = outcome.principal or "an unknown party"
        lines = [
            f"{who} asked for {outcome.model or 'a model'} in class {outcome.class_name or '-'}."
        ]
        return Section(f"Who asked ({case.id})", tuple(lines))
    source = _SOURCES.get(first.session_source, f"recognised by its {first.session_source}")
    session = (
        f"Session {first.session}, {source}." if first.session else f"No session: {_SOURCES['']}."
    )
    cut = first.tokens_offered - first.tokens_kept
    kept = f"{cut} of them cut" if cut else "none of them cut"
    lines = [
        f"{first.principal or 'an unknown party'} asked for {first.model} ({first.operation}) "
        f"in class {first.class_name}, worth {_usd(first.value_usd)} if answered in time.",
        session,
        f"About {first.tokens_offered} prompt tokens, {kept}; at most {first.output_tokens_max} "
        f"answer tokens; {_ms(first.deadline_at - first.at)} until its deadline.",
    ]
    if first.session_step:
        lines.append(
            f"It is step {first.session_step} of its session; about "
            f"{first.session_steps_left:.0f} more are expected after it."
        )
    if first.advice.startswith("refuse: ") and first.mode != "observe":
        lines.append(
            f"Outside a session under way it would have been refused ({first.advice[8:]}): it was "
            "placed late instead, as half a session is worth nothing."
        )
    if first.held_s > 0:
        lines.append(f"It was held for {_ms(first.held_s)} before it was placed.")
    if first.mode == "observe":
        lines.append(
            "Mode observe: this was decided and recorded, but the baseline rule placed it."
        )
    return Section(f"Who asked ({case.id})", tuple(lines))


def _ruled_out(case: Case) -> Section | None:
    name, heading = case.named_feasibility, "Which endpoints were ruled out"
    if not name:
        return None
    if case.feasibility is None:
        return Section(heading, (f"The log does not hold the record {name} that would tell.",))
    count = len(case.feasibility.allowed)
    refused = case.feasibility.refused
    lines = (
        f"{count} allowed, {len(refused)} ruled out (record {name}: {case.feasibility.scope}).",
    )
    if not refused:
        return Section(heading, lines)
    if len(refused) > _RULED_OUT_MAX:
        return Section(heading, lines, _by_rule(refused))
    return Section(heading, lines, Table(("endpoint", "rule"), refused))


def _by_rule(refused: Sequence[tuple[str, str]]) -> Table:
    names: dict[str, list[str]] = {}
    for endpoint, rule in refused:
        names.setdefault(rule, []).append(endpoint)
    return Table(
        ("rule", "endpoints"),
        tuple(
            (rule, f"{len(found)}: {', '.join(found[:3])}{', …' if len(found) > 3 else ''}")
            for rule, found in names.items()
        ),
    )


def _candidates(intent: Intent, attempts: int) -> Section:
    heading = "What each endpoint would have cost"
    if attempts > 1:
        heading += f" (attempt {intent.attempt})"
    ranked = sorted(intent.candidates, key=lambda candidate: candidate.total_usd)
    names = [candidate.endpoint for candidate in ranked]
    shown, total = len(ranked), intent.candidates_count
    lines = [f"Prices in µ$, {'all' if shown >= total else f'{shown} of'} {total} candidates."]
    head = ("endpoint", "lateness", "externality", "resources", "total", "TTFT", "TPOT", "cached")
    table = Table(
        (*head, "drawn"),
        tuple(_candidate_row(candidate) for candidate in ranked),
        names.index(intent.endpoint) if intent.endpoint in names else -1,
    )
    return Section(heading, tuple(lines), table if ranked else None)


def _candidate_row(candidate: Candidate) -> tuple[str, ...]:
    return (
        candidate.endpoint,
        _micro(candidate.lateness_usd),
        _micro(candidate.externality_usd),
        _micro(candidate.resource_usd),
        _micro(candidate.total_usd),
        _ms(candidate.ttft_s),
        _ms(candidate.tpot_s),
        str(candidate.cached_tokens),
        _percent(candidate.propensity),
    )


def _chosen(intent: Intent) -> Section:
    board = (
        f"price board {intent.board_version}, {_ms(intent.board_age_s)} old"
        if intent.board_version
        else "no price board yet (every plan price was zero)"
    )
    lines = [
        f"{intent.endpoint} in pool {intent.pool}, at {utc(intent.at)}: {_why(intent)}",
        f"Seen then: {board}; the view of the fleet was {_ms(intent.view_age_s)} old.",
    ]
    return Section(f"What was chosen (attempt {intent.attempt})", tuple(lines))


def _why(intent: Intent) -> str:
    if intent.rule == "probe":
        return f"{_RULES['probe']} (arm {intent.probe_arm})."
    if intent.rule != "price":
        return _RULES.get(intent.rule, f"rule {intent.rule}.")
    chosen = [c for c in intent.candidates if c.endpoint == intent.endpoint]
    if not chosen:
        return "it had the least price."
    least = min(c.total_usd for c in intent.candidates)
    chance = f" It had a chance of {_percent(chosen[0].propensity)}."
    if chosen[0].total_usd <= least:
        return f"it had the least price of {intent.candidates_count}.{chance}"
    above = _micro(chosen[0].total_usd - least)
    return f"it was drawn among nearly equal prices, {above} µ$ above the least.{chance}"


def _happened(intent: Intent | None, outcome: Outcome | None) -> Section:
    heading = "What then happened"
    if outcome is None:
        return Section(
            heading, ("No outcome is recorded yet: it runs, or the gateway was killed.",)
        )
    end = f" by {outcome.endpoint}" if outcome.endpoint else ""
    status = f", HTTP {outcome.status}" if outcome.status else ""
    lines = [
        f"{_OUTCOMES[outcome.outcome]}{end} after {outcome.attempts} "
        f"attempt{'' if outcome.attempts == 1 else 's'}{status}."
    ]
    if outcome.outcome == "refused":
        return Section(heading, tuple(lines))
    promise = "in time" if outcome.in_time else "not in time"
    lines += [
        f"{outcome.input_tokens} prompt tokens ({outcome.cached_tokens} from cache), "
        f"{outcome.output_tokens} answer tokens, {_usd(outcome.cost_usd)}; {promise}.",
    ]
    table = _against_prediction(intent, outcome) if intent is not None else None
    return Section(heading, tuple(lines), table)


def _against_prediction(intent: Intent, outcome: Outcome) -> Table | None:
    found = [c for c in intent.candidates if c.endpoint == outcome.endpoint]
    if not found or outcome.outcome != "served":
        return None
    said = found[0]
    rows = [("cached tokens", str(said.cached_tokens), str(outcome.cached_tokens), "")]
    if outcome.ttft_s > 0:
        rows.insert(0, ("TTFT", *_pair(said.ttft_s, outcome.ttft_s)))
    if outcome.output_tokens > 1 and outcome.e2e_s > outcome.ttft_s > 0:
        tpot_s = (outcome.e2e_s - outcome.ttft_s) / (outcome.output_tokens - 1)
        rows.insert(1, ("TPOT", *_pair(said.tpot_s, tpot_s)))
    rows.append(("end to end", "", _ms(outcome.e2e_s), ""))
    return Table(("", "predicted", "observed", "off by"), tuple(rows))


def _pair(said_s: Seconds, was_s: Seconds) -> tuple[str, str, str]:
    off = f"{(was_s - said_s) / said_s:+.0%}" if said_s > 0 else ""
    return _ms(said_s), _ms(was_s), off


def _refusal(intent: Intent | None, outcome: Outcome) -> Section:
    fault = FAULTS.get(outcome.code)
    lines = [f"Code {outcome.code}" + (f": {outcome.reason}." if outcome.reason else ".")]
    if fault is not None:
        lines = [
            f"Code {fault.code}: " + _fill(fault.message, outcome.reason),
            f"At fault: {_PARTIES[fault.party]}.",
        ]
    if outcome.price_usd:
        worth = f" against a value of {_usd(intent.value_usd)}" if intent else ""
        lines.append(f"Its price was {_usd(outcome.price_usd)}{worth}.")
    if fault is not None:
        lines.append(f"What would change it: {fault.next_step}")
    if outcome.retry_after_s:
        lines.append(f"It was told to come back after {_ms(outcome.retry_after_s)}.")
    return Section("Why it was not served", tuple(lines))


def _fill(message: str, reason: str) -> str:
    return message.replace("{detail}", reason.rstrip(".") or "no detail was recorded")


def _lineage(case: Case) -> Section:
    lines: list[str] = []
    first = case.intents[0] if case.intents else None
    if first is not None and first.is_retry:
        lines.append(f"It is itself a retry of {first.lineage or 'work seen before'}.")
    for record in case.retries:
        if isinstance(record, Intent) and record.id != case.id:
            lines.append(f"{record.id} retried it at {utc(record.at)} on {record.endpoint}.")
        elif isinstance(record, Outcome) and record.id != case.id:
            lines.append(
                f"{record.id}: {record.outcome}{f' ({record.code})' if record.code else ''}."
            )
    return Section("Other tries of the same work", tuple(lines))


def _turned_away(record: TurnedAway, request_id: str) -> Section:
    """Requests that no decision was made for: what was wrong with them, and whose they were."""
    fault = FAULTS.get(record.code)
    what = "It was" if record.count == 1 else f"It is one of {record.count} requests that were"
    span = f" within {_ms(record.until - record.at)}" if record.count > 1 else ""
    lines = [
        f"{what} turned away before any decision, at {utc(record.at)}{span}, "
        f"HTTP {record.status}, from {record.source}.",
        f"Code {record.code}: {_fill(fault.message, record.reason) if fault else record.reason}",
    ]
    if fault is not None:
        lines.append(f"At fault: {_PARTIES[fault.party]}.")
        lines.append(f"What would change it: {fault.next_step}")
    if record.count > len(record.ids):
        lines.append(f"The ids of the first {len(record.ids)} are on record.")
    return Section(f"Why it was not looked at ({request_id})", tuple(lines))


def _plain(record: Record) -> Section:
    """A record of a loop, a price board or a configuration: its fields as they are."""
    fields = msgspec.to_builtins(record)
    lines = tuple(
        f"{name}: {value}" for name, value in fields.items() if name not in ("kind", "at")
    )
    return Section(f"A record of the kind {fields['kind']}, at {utc(record.at)}", lines)


def _proof(case: Case) -> Section:
    lines = [
        f"Entry {proof.index} is in the log {proof.checkpoint.origin} of {proof.checkpoint.size} "
        f"entries: verified with {len(proof.proof)} hashes."
        for proof in case.inclusions
    ]
    if case.inclusions:
        lines.append(f"Root {case.inclusions[0].checkpoint.root.hex()}.")
    if case.unproven:
        plural = "entry is" if case.unproven == 1 else "entries are"
        lines.append(f"{case.unproven} {plural} newer than the last checkpoint: not proven yet.")
    return Section("Proof", tuple(lines))


def _aligned(table: Table) -> list[str]:
    rows = [table.head, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]
    lines: list[str] = []
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        if len(row) == 2:
            cells.append(row[1])
        else:
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        mark = "> " if number - 1 == table.marked and table.marked >= 0 else "  "
        lines.append((mark + "  ".join(cells)).rstrip())
    return lines


def _micro(usd: Usd) -> str:
    return f"{usd * _MICRO_USD:,.2f}"


def _usd(usd: Usd) -> str:
    return f"${usd:.4g}" if usd >= 0.0001 or usd == 0 else f"{_micro(usd)} µ$"


def _ms(seconds: Seconds) -> str:
    if abs(seconds) >= 1:
        return f"{seconds:.1f} s" if abs(seconds) >= 10 else f"{seconds:.2f} s"
    ms = ms_from_seconds(seconds)
    return f"{ms:.0f} ms" if abs(ms) >= 100 else f"{ms:.1f} ms"


def _percent(ratio: Ratio) -> str:
    return f"{ratio:.0%}" if ratio >= 0.01 or ratio == 0 else f"{ratio:.2%}"
