"""Do allowances keep to their class's policy, their guards and their minimum, in the core?"""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flyball.governor.commands import Advise, Forward, Record, Reject
from flyball.governor.events import (
    AttemptFailed,
    ClientGone,
    FirstByte,
    RequestArrived,
    Served,
    Tick,
)
from flyball.governor.governor import Governor
from flyball.governor.policy import Pricing
from flyball.governor.request.grant import DRAW_LOW_BITS
from flyball.model.decision import Feasibility, Intent, LoopAction
from flyball.model.loop import LoopPolicy
from flyball.model.request import (
    ContextRule,
    ModelTier,
    OutputRule,
    Principal,
    Promise,
    RequestClass,
)
from support import fleets
from support.playbook import Playbook, a

LONG = 80_000  # bytes: 20,001 tokens at four bytes each
TOKENS = 20_001
CUTTABLE = RequestClass(
    name="cut",
    promise=Promise(ttft_s=60.0),
    context=ContextRule(allow_truncation=True, tokens_min=4096),
)


def draw(low: float) -> float:
    """A draw whose second number is `low`."""
    return (0.0 + low) / DRAW_LOW_BITS


LESS, MORE, NO_ARM = draw(0.01), draw(0.06), draw(0.5)


def governor(*classes: RequestClass, **changes: Any) -> Governor:
    made = Governor(fleets.fleet(1, 1), fleets.policy(classes=classes, **changes))
    made.handle(Tick(at=0.0))
    return made


def arrive(
    at: float = 1.0, name: str = "r1", chance: float = NO_ARM, **head: Any
) -> RequestArrived:
    fields: dict[str, Any] = {"prompt_bytes": LONG, "body_digest": hash(name) | 1, **head}
    return RequestArrived(at=at, request_id=name, head=fleets.head(**fields), draw=chance)


def intent_of(governor: Governor, event: RequestArrived) -> Intent:
    found = [
        command.record
        for command in governor.handle(event)
        if isinstance(command, Record) and isinstance(command.record, Intent)
    ]
    assert len(found) == 1
    return found[0]


def answer(governor: Governor, event: RequestArrived, at: float, tokens: int = TOKENS) -> None:
    governor.handle(FirstByte(at=at, request_id=event.request_id))
    governor.handle(
        Served(at=at + 0.1, request_id=event.request_id, status=200, input_tokens=tokens)
    )


def test_a_class_that_does_not_allow_it_is_never_cut() -> None:
    intent = intent_of(governor(fleets.CHAT), arrive(chance=LESS))
    assert (intent.tokens_kept, intent.tokens_offered) == (TOKENS, TOKENS)
    assert intent.probe_arm == "none"


def test_only_probes_are_cut_before_anything_is_known() -> None:
    core = governor(CUTTABLE)
    assert intent_of(core, arrive(name="a", chance=NO_ARM)).tokens_kept == TOKENS
    more = intent_of(core, arrive(name="b", chance=MORE))
    assert (more.probe_arm, more.tokens_kept) == ("context-more", TOKENS)
    play = Playbook(core)
    kept = int(0.92 * TOKENS)
    play >> arrive(name="c", chance=LESS)
    play << a(Record, record=a(Intent, probe_arm="context-less", tokens_kept=kept))
    play << a(
        Forward,
        allowance=lambda granted: (granted.tokens_kept, granted.tokens_offered) == (kept, TOKENS),
    )
    play.done()


def test_a_warm_prompt_is_not_cut() -> None:
    core = governor(CUTTABLE)
    prefix = tuple(range(1, LONG // 1024))
    first = arrive(name="a", prefix=prefix, session_hint="s", session_source="header")
    intent_of(core, first)
    answer(core, first, 2.0)
    again = arrive(3.0, "b", LESS, prefix=prefix, session_hint="s", session_source="header")
    intent = intent_of(core, again)
    assert intent.candidates[0].cached_tokens > 0
    assert intent.tokens_kept == TOKENS
    assert intent.probe_arm == "none"


def test_what_was_cut_warms_no_prefix() -> None:
    core = governor(CUTTABLE)
    prefix = tuple(range(1, LONG // 1024))
    cut = arrive(name="a", chance=LESS, prefix=prefix)
    assert intent_of(core, cut).tokens_kept < TOKENS
    answer(core, cut, 2.0)
    assert core.state.prefix_index.match(prefix) == {}


@pytest.mark.parametrize("operation", ["completion", "response", "embedding"])
def test_only_chats_are_cut(operation: str) -> None:
    intent = intent_of(governor(CUTTABLE), arrive(chance=LESS, operation=operation))
    assert intent.tokens_kept == intent.tokens_offered


@given(
    size=st.integers(1, 2_000_000),
    tokens_min=st.integers(1, 100_000),
    chance=st.floats(0.0, 1.0, exclude_max=True),
    ratio=st.floats(0.5, 1.0),
)
def test_never_below_the_minimum(size: int, tokens_min: int, chance: float, ratio: float) -> None:
    rule = ContextRule(allow_truncation=True, tokens_min=tokens_min, probe_ratio=0.5)
    core = governor(RequestClass(name="cut", context=rule, promise=Promise(ttft_s=1e6)))
    core.state.context_loops["cut"].ratio = ratio
    intent = intent_of(core, arrive(chance=chance, prompt_bytes=size))
    offered = intent.tokens_offered
    assert min(offered, tokens_min) <= intent.tokens_kept <= offered
    assert intent.tokens_kept >= int(0.42 * offered)


@pytest.mark.parametrize(("mode", "advises"), [("observe", False), ("advise", True)])
def test_it_cuts_only_where_it_may_enforce(mode: Any, advises: bool) -> None:
    core = governor(CUTTABLE, loops=(LoopPolicy(name="context", mode=mode),))
    core.state.context_loops["cut"].ratio = 0.8
    intent = intent_of(core, arrive(chance=LESS))
    assert intent.tokens_kept == TOKENS
    assert ("context: keep 16000 of 20001 tokens" in intent.advice) == advises


def run(core: Governor, seconds: int, breaks: float, seed: int) -> tuple[list[LoopAction], float]:
    """Twenty long requests a second; an answer to a prompt of which a share c was cut is asked for
    again with probability 0.02 + breaks * c. Returns the loop's moves and the final set-point."""
    rng = random.Random(seed)
    moves: list[LoopAction] = []
    again: list[int] = []
    for second in range(1, seconds + 1):
        for command in core.handle(Tick(at=float(second))):
            if isinstance(command, Record) and isinstance(command.record, LoopAction):
                moves.append(command.record)
        due, again = again, []
        for number in [*due, *range(second * 1000, second * 1000 + 20)]:
            event = arrive(second + 0.01, f"{second}.{number}", rng.random(), body_digest=number)
            intent = intent_of(core, event)
            answer(core, event, second + 0.02, intent.tokens_kept)
            cut = 1.0 - intent.tokens_kept / intent.tokens_offered
            if rng.random() < 0.02 + breaks * cut:
                again.append(number)
    return moves, core.state.context_loops["cut"].ratio


def test_it_cuts_where_that_is_shown_to_save() -> None:
    moves, ratio = run(governor(CUTTABLE), 900, breaks=0.0, seed=3)
    assert ratio < 0.8, "seed 3"
    assert all(move.loop == "context" and move.reason.startswith("saves") for move in moves)


def test_it_gives_up_where_cutting_breaks_answers() -> None:
    """d = 8 % of the work, 0.08 * 2 = 16 % more repeats: cutting costs twice what it saves."""
    _, ratio = run(governor(CUTTABLE), 900, breaks=2.0, seed=4)
    assert ratio == 1.0, "seed 4"


def test_a_set_point_once_lowered_rises_when_answers_begin_to_break() -> None:
    core = governor(CUTTABLE)
    core.state.context_loops["cut"].ratio = 0.7
    moves, ratio = run(core, 900, breaks=2.0, seed=5)
    assert ratio == 1.0, "seed 5"
    assert moves[0].reason.startswith("not shown to save")


def test_advice_is_told_and_nothing_moves() -> None:
    core = governor(CUTTABLE, loops=(LoopPolicy(name="context", mode="advise"),))
    core.state.context_loops["cut"].ratio = 0.7
    told = [c for c in core.handle(Tick(at=40.0)) if isinstance(c, Advise)]
    assert [(one.scope, one.present, one.wish) for one in told] == [("cut", 0.7, 0.75)]
    assert core.state.context_loops["cut"].ratio == 0.7


@pytest.mark.parametrize(("asked", "bound"), [(0, 300), (100, 100), (900, 300)])
def test_an_answer_is_bounded_by_its_class(asked: int, bound: int) -> None:
    klass = RequestClass(name="short", output=OutputRule(tokens_max=300))
    play = Playbook(governor(klass))
    play >> arrive(prompt_bytes=1000, output_tokens_max=asked)
    play << a(Record, record=a(Feasibility))
    play << a(Record, record=a(Intent, output_tokens_max=bound))
    play << a(
        Forward,
        allowance=lambda granted: (
            granted.output_tokens_max == bound and granted.clamp_output == (asked != bound)
        ),
    )
    play.done()


@pytest.mark.parametrize(("by_price", "is_bounded"), [(False, False), (True, True)])
def test_the_price_bounds_answers_only_where_it_may(by_price: bool, is_bounded: bool) -> None:
    """At a value near the price of the answer expected, a longer one is not worth its price."""
    rule = OutputRule(by_price=by_price, tokens_min=16)
    klass = RequestClass(name="x", value_usd=1e-9, output=rule, output_tokens_mean=64)
    intent = intent_of(governor(klass), arrive(prompt_bytes=1000, output_tokens_max=4000))
    assert (intent.output_tokens_max < 4000) == is_bounded
    assert intent.output_tokens_max >= 16


TIERED = RequestClass(
    name="tiered",
    tiers=(ModelTier(model="m"), ModelTier(model="tiny", value_ratio=0.7)),
    promise=Promise(ttft_s=1.0),
    queue_s_max=0.0,
)


def two_models(backlog_tokens: float = 0.0, **changes: Any) -> Governor:
    """ "m" at one pool with so much work waiting, "tiny" at another that is idle."""
    fleet = fleets.fleet(1, 1)
    pools = (fleet.pools[0], replace(fleet.pools[1], models=("tiny",)))
    fleet = replace(fleet, pools=pools)
    core = Governor(fleet, fleets.policy(classes=(TIERED,), **changes))
    large = core.state.view.endpoints[0]
    large.pending_prefill, large.pending = backlog_tokens, int(backlog_tokens > 0.0)
    core.state.view.dirty.add(0)
    return core


LATE = 200_000.0  # tokens waiting: five seconds of an H100


def test_the_model_asked_for_answers_while_it_can() -> None:
    intent = intent_of(two_models(), arrive(prompt_bytes=1500))
    assert (intent.model, intent.served_model, intent.value_usd) == ("m", "", 0.01)


def test_a_smaller_model_answers_where_the_larger_would_be_late() -> None:
    play = Playbook(two_models(LATE))
    play >> arrive(prompt_bytes=1500)
    play << a(Record, record=a(Feasibility)) << a(Record, record=a(Feasibility))
    play << a(Record, record=a(Intent, model="m", served_model="tiny", pool="small"))
    play << a(Forward, endpoint=1, allowance=lambda granted: granted.model == "tiny")
    play.done()
    assert play.governor.state.flights["r1"].value_usd == pytest.approx(0.007)


def test_a_smaller_model_is_never_traded_for_a_larger_one() -> None:
    intent = intent_of(two_models(), arrive(prompt_bytes=1500, model="tiny"))
    assert (intent.model, intent.served_model) == ("tiny", "")


@pytest.mark.parametrize(
    ("mode", "told"), [("advise", "demotion: tiny in place of m"), ("observe", "")]
)
def test_without_leave_the_larger_one_is_kept_to(mode: Any, told: str) -> None:
    late = 38_000.0  # 1.1 s: late, but not refused
    core = two_models(late, loops=(LoopPolicy(name="demotion", mode=mode),))
    intent = intent_of(core, arrive(prompt_bytes=1500))
    assert (intent.served_model, intent.pool, intent.value_usd) == ("", "big", 0.01)
    assert intent.advice == told


def test_a_principal_gets_no_model_it_may_not_use() -> None:
    ann = Principal(name="ann", key_sha256="aa", models=("m",))
    core = two_models(LATE, principals=(ann,))
    out = core.handle(arrive(prompt_bytes=1500, key_sha256="aa"))
    assert any(isinstance(command, Reject) for command in out)


def test_retries_of_clients_stay_below_half(seed: int = 11) -> None:
    """Every answer fails and every client tries again at once, for ever."""
    rng = random.Random(seed)
    core = governor(RequestClass(name="any", promise=Promise(ttft_s=1e6)))
    refusals, admitted, retries, number = [], 0, 0, 0
    waiting: list[int] = []
    for second in range(1, 200):
        core.handle(Tick(at=float(second)))
        now, waiting = waiting, []
        fresh = list(range(second * 1000 + 1, second * 1000 + 6))
        for digest in [*now, *fresh]:
            number += 1
            event = arrive(
                second + 0.1, f"n{number}", rng.random(), body_digest=digest, prompt_bytes=400
            )
            out = core.handle(event)
            refused = [command.refusal for command in out if isinstance(command, Reject)]
            waiting.append(digest)
            if refused:
                refusals += refused
                continue
            admitted += 1
            retries += digest in now
            core.handle(ClientGone(at=second + 0.2, request_id=event.request_id))
        waiting = waiting[-40:]
    assert core.state.retry_gain.admitted < 0.5
    assert retries < 0.5 * admitted, f"seed {seed}: {retries} of {admitted}"
    spent = [refusal for refusal in refusals if refusal.code == "retry_budget_spent"]
    assert len(spent) > 100
    assert not any(refusal.fault.should_retry for refusal in spent)
    waits = {round(refusal.retry_after_s, 3) for refusal in spent}
    assert len(waits) > 50
    assert min(waits) >= 5.0 and max(waits) <= 10.0


def test_a_retry_that_is_not_worth_its_price_is_not_made() -> None:
    klass = RequestClass(name="cheap", value_usd=1e-4, sheddable=True, promise=Promise(ttft_s=60.0))
    core = Governor(fleets.fleet(2, 0), fleets.policy(classes=(klass,), pricing=Pricing()))
    event = arrive(prompt_bytes=1500)
    intent_of(core, event)
    other = core.state.view.endpoints[1]
    other.input_usd = 1.0
    core.state.view.dirty.add(1)
    failed = AttemptFailed(at=1.2, request_id="r1", endpoint=0, cause="reset")
    out = core.handle(failed)
    assert [c.refusal.code for c in out if isinstance(c, Reject)] == ["price_above_value"]
    assert core.state.flights == {}
