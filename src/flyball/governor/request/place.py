"""How is a choice carried out: intent written before the effect, work counted, then sent?"""

from msgspec import UNSET

from flyball.governor.commands import Command, Forward, Record
from flyball.governor.endpoint import EndpointState
from flyball.governor.flight import Flight
from flyball.governor.request import guard, health, program
from flyball.governor.request.authorize import note_feasibility
from flyball.governor.request.grant import arm_name, copy_at, grant_at
from flyball.governor.request.pick import FALLBACK_RULES, Choice
from flyball.governor.request.settle import retried, take_work
from flyball.governor.state import State
from flyball.model.decision import Allowance, Intent, Warrant
from flyball.model.verdict import Verdict
from flyball.units import Seconds

RECORD_FIRST = "record-before-release"
NOT_ASKED = Verdict(allowed=True)


def place(
    state: State,
    flight: Flight,
    at: Seconds,
    choice: Choice,
    index: int,
    out: list[Command],
    advice: str = "",
) -> None:
    """Record, count, forward to endpoint `index`. In observe mode the baseline rule said which, not
    the choice."""
    if flight.attempt:
        retried(state, flight, at, out)
    note_feasibility(state, flight.scope, at, out)
    fallbacks = choice.fallbacks
    if index != choice.endpoint:
        fallbacks = tuple([i for i in (choice.endpoint, *choice.fallbacks) if i != index])
    endpoint = state.view.endpoints[index]
    best = choice.candidates[0]
    flight.attempt += 1
    flight.fallbacks = fallbacks
    flight.ttft_s, flight.tpot_s = best.ttft_s, best.tpot_s
    flight.ttft_bias_log, flight.tpot_bias_log = endpoint.ttft_bias_log, endpoint.tpot_bias_log
    flight.cached_tokens = best.cached_tokens
    flight.blocks_believed = flight.blocks_held.get(index, 0)
    if flight.class_index in state.grants:
        advice = grant_at(state, flight, at, best, index) or advice
    flight.cost_usd += choice.price_usd
    if flight.program is not None:
        program.placed(state, flight, at, best.resource_usd)
    out.append(Record(_intent(state, flight, at, choice, endpoint, advice)))
    if endpoint.circuit_open_s and endpoint.allow_probe:
        health.begin_trial(state, at, endpoint, out)
    take_work(state, flight, at, endpoint)
    if flight.guarantee is not None:
        guard.placed(state, flight, at)
    grant = flight.granted
    is_whole = grant is None or grant.tokens_kept == flight.prompt_tokens
    if flight.head.prefix and endpoint.pool.prefix_cache and is_whole:
        state.prefix_index.insert(index, flight.head.prefix)
    hedge_at = 0.0
    if flight.klass.allow_hedge and choice.rule not in FALLBACK_RULES:
        hedge_at = copy_at(state, flight, at, choice.candidates)
    out.append(
        Forward(
            flight.request_id,
            flight.attempt,
            index,
            fallbacks,
            _allowance(flight, hedge_at),
            choice.price_usd,
            state.view.board.version,
            choice.rule,
            flight.klass.name,
            flight.rival is not None,
            flight.verdict is not None and RECORD_FIRST in flight.verdict.obligations,
        )
    )


def _allowance(flight: Flight, hedge_at: Seconds) -> Allowance:
    grant = flight.granted
    if grant is None and not hedge_at:
        return Allowance(
            tokens_offered=flight.prompt_tokens,
            tokens_kept=flight.prompt_tokens,
            output_tokens_max=flight.output_tokens_max,
            attempts_max=flight.attempts_max,
            deadline_at=flight.deadline_at,
        )
    return Allowance(
        tokens_offered=flight.prompt_tokens,
        tokens_kept=flight.prompt_tokens if grant is None else grant.tokens_kept,
        output_tokens_max=flight.output_tokens_max,
        attempts_max=flight.attempts_max,
        deadline_at=flight.deadline_at,
        keep_system=flight.klass.context.keep_system,
        clamp_output=grant is not None and grant.clamp_output,
        model="" if grant is None else grant.model,
        hedge_at=hedge_at,
    )


def _intent(
    state: State,
    flight: Flight,
    at: Seconds,
    choice: Choice,
    endpoint: EndpointState,
    advice: str,
) -> Intent:
    """All that must be known later of why it went there: it cannot be added afterwards."""
    board, head, grant = state.view.board, flight.head, flight.granted
    return Intent(
        id=flight.request_id,
        at=at,
        principal=flight.principal.name,
        class_name=flight.klass.name,
        session=flight.session,
        session_source=flight.session_source,
        model=head.model,
        operation=head.operation,
        attempt=flight.attempt,
        lineage=flight.lineage,
        is_retry=flight.is_retry or flight.attempt > 1,
        tokens_offered=flight.prompt_tokens,
        tokens_kept=flight.prompt_tokens if grant is None else grant.tokens_kept,
        output_tokens_max=flight.output_tokens_max,
        deadline_at=flight.deadline_at,
        value_usd=flight.value_usd,
        rule=choice.rule,
        probe_arm=choice.probe_arm if grant is None else arm_name(grant, choice.probe_arm),
        endpoint=endpoint.name,
        pool=endpoint.pool.name,
        candidates=choice.candidates,
        candidates_count=choice.candidates_count,
        feasibility=flight.scope.feasibility_id(state.view.health_generation),
        board_version=board.version,
        board_age_s=board.age_s(at) if board.version else 0.0,
        view_age_s=choice.view_age_s,
        held_s=at - flight.arrived_at,
        mode=state.policy.mode,
        advice=advice or flight.advice,
        served_model="" if grant is None else grant.model,
        session_step=flight.session_step,
        session_steps_left=max(0.0, flight.session_left - 1.0),
        warrant=UNSET if flight.party is flight.verdict is None else _warrant(flight),
    )


def _warrant(flight: Flight) -> Warrant:
    mandate, verdict = flight.head.mandate, flight.verdict or NOT_ASKED
    if mandate is None:
        return Warrant(
            policies=verdict.policies,
            bundles=verdict.bundles,
            obligations=verdict.obligations,
            asked=flight.asked or UNSET,
        )
    return Warrant(
        chain=mandate.chain,
        human=mandate.human,
        actor=mandate.actor,
        root_key=mandate.root_key,
        holder=mandate.holder if mandate.is_held else "",
        policies=verdict.policies,
        bundles=verdict.bundles,
        obligations=verdict.obligations,
        approvals=tuple([one.id for one in flight.approvals]),
        reserved_micro_usd=flight.reserved,
        session=mandate.session,
        granted_at=mandate.not_before,
        asked=flight.asked or UNSET,
    )
