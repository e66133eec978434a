"""Policy asked twice: the mask keeps pools out, the last word is had on the chosen one."""

from msgspec.structs import replace

from flyball.governor.commands import Abort, Forward, Notice, Record, Reject
from flyball.governor.events import (
    AttemptFailed,
    BundlesSet,
    FirstByte,
    FleetChanged,
    RequestArrived,
)
from flyball.governor.governor import Governor
from flyball.ledger.record import decode, encode
from flyball.model.acts import BundleSet
from flyball.model.decision import Feasibility, Intent, Outcome
from flyball.model.faults import Refusal
from flyball.model.request import ContextRule
from flyball.model.verdict import Circumstances, Place, Subject, Verdict
from support import fleets
from support.authority import D1, D2, Rules, Shelf, mandate
from support.playbook import Playbook, a

NO_US = {"no-us": lambda subject, place: place.jurisdiction == "US"}


def governed(*rules: Rules, at: float = 0.5, **changes: object) -> Governor:
    core = Governor(fleets.fleet(), fleets.policy(**changes), library=Shelf(*rules))
    core.handle(BundlesSet(at, rules[0].digests, by="ann"))
    return core


def arrive(at: float = 1.0, request_id: str = "r1", **head: object) -> RequestArrived:
    return RequestArrived(at=at, request_id=request_id, head=fleets.head(**head), draw=0.5)


def intents(commands: list) -> list[Intent]:
    return [c.record for c in commands if isinstance(c, Record) and isinstance(c.record, Intent)]


def refusal(commands: list) -> Refusal:
    return next(c.refusal for c in commands if isinstance(c, Reject | Abort))


def test_the_mask_joins_the_scope_and_the_verdict_the_intent() -> None:
    core = Governor(fleets.fleet(), fleets.policy(), library=Shelf(Rules(forbids=NO_US)))
    play = Playbook(core)
    (
        play
        >> BundlesSet(0.5, (D1,), by="ann")
        << a(Record, record=a(BundleSet, digest=D1, role="workload", in_force=True, by="ann"))
    )
    (
        play
        >> arrive()
        << a(
            Record,
            record=a(
                Feasibility,
                refused=(("big-0", "policy: no-us"), ("big-1", "policy: no-us")),
            ),
        )
        << a(
            Record,
            record=a(
                Intent,
                pool="small",
                warrant=lambda w: (w.policies, w.bundles, w.chain) == (("permit-all",), (D1,), ()),
            ),
        )
        << a(Forward, after_record=False)
    )
    play.done()


def test_what_is_masked_everywhere_is_refused_with_the_rule() -> None:
    core = governed(Rules(forbids={"freeze": lambda subject, place: True}))
    found = refusal(core.handle(arrive()))
    assert (found.code, found.detail) == ("policy_denied", "freeze")


def big_is_dear(subject: Subject, circumstances: Circumstances, place: Place) -> Verdict | None:
    if place.pool == "big":
        return Verdict(allowed=False, policies=("ceiling",))
    return None


def test_a_no_to_the_chosen_pool_takes_it_out_and_the_next_is_picked() -> None:
    rules = Rules(last=big_is_dear)
    core = governed(rules)
    commands = core.handle(arrive())
    assert [place.pool for _, _, place in rules.asked] == ["big", "small"]
    (intent,) = intents(commands)
    assert intent.pool == "small"
    feasible = [
        c.record for c in commands if isinstance(c, Record) and isinstance(c.record, Feasibility)
    ]
    assert feasible[-1].id == intent.feasibility
    assert ("big-0", "policy: ceiling") in feasible[-1].refused


def test_when_every_pool_is_refused_the_last_rule_is_told_and_it_is_no_retry_matter() -> None:
    core = governed(Rules(last=lambda s, c, p: Verdict(allowed=False, policies=(f"no-{p.pool}",))))
    found = refusal(core.handle(arrive()))
    assert (found.code, found.detail) == ("policy_denied", "no-small")
    assert not found.fault.should_retry


def test_an_error_is_a_no_even_beside_an_allow() -> None:
    core = governed(Rules(last=lambda s, c, p: Verdict(allowed=True, errors=("attr missing",))))
    found = refusal(core.handle(arrive()))
    assert (found.code, found.detail) == ("policy_error", "attr missing")


def test_an_authority_that_breaks_lets_nothing_through() -> None:
    def broken(*asked: object) -> Verdict:
        raise RuntimeError("boom")

    found = refusal(governed(Rules(last=broken)).handle(arrive()))
    assert found.code == "policy_error"
    masked = governed(Rules(forbids={"x": broken}))
    assert refusal(masked.handle(arrive())).code == "policy_error"


def test_bundles_that_are_not_at_hand_let_nothing_through_until_they_are() -> None:
    core = Governor(fleets.fleet(), fleets.policy(), library=Shelf(Rules()))
    play = Playbook(core)
    (
        play
        >> BundlesSet(0.5, (D2,))
        << a(Notice, code="bundle-missing")
        << a(Record, record=a(BundleSet, digest=D2, in_force=False))
    )
    assert refusal(core.handle(arrive())).code == "policy_error"
    core.handle(BundlesSet(2.0, (D1,)))
    assert intents(core.handle(arrive(3.0, "r2")))


def test_a_swap_cuts_what_the_new_bundle_forbids_and_nothing_else() -> None:
    core = governed(Rules(), Rules((D2,), NO_US))
    in_us = intents(core.handle(arrive()))[0]
    in_eu = intents(core.handle(arrive(request_id="r2", class_hint="eu-chat")))[0]
    assert (in_us.pool, in_eu.pool) == ("big", "small")
    core.handle(FirstByte(1.2, "r1"))
    core.handle(FirstByte(1.2, "r2"))
    commands = core.handle(BundlesSet(2.0, (D2,), by="ann"))
    ended = [c.record for c in commands if isinstance(c, Record) and isinstance(c.record, Outcome)]
    assert [(o.id, o.outcome, o.code) for o in ended] == [("r1", "cancelled", "policy_denied")]
    assert ended[0].output_tokens > 10  # what was sent in 0.8 s
    assert [c.request_id for c in commands if isinstance(c, Abort)] == ["r1"]
    assert list(core.state.flights) == ["r2"]
    swapped = next(c.record for c in commands if isinstance(c, Record))
    assert (swapped.digest, swapped.replaced) == (D2, D1)
    assert intents(core.handle(arrive(3.0, "r3")))[0].pool == "small"


def test_a_reload_of_the_fleet_asks_for_the_mask_again() -> None:
    rules = Rules(forbids=NO_US)
    core = governed(rules)
    core.handle(arrive())
    masked = rules.masked
    fleet = fleets.fleet()
    eu_now = replace(fleet, sites=tuple(replace(s, jurisdiction="EU") for s in fleet.sites))
    core.handle(FleetChanged(2.0, eu_now, fleets.policy(), "d"))
    assert intents(core.handle(arrive(3.0, "r2")))[0].pool == "big"
    assert rules.masked > masked


def test_in_observe_mode_policy_judges_where_the_baseline_puts_it() -> None:
    rules = Rules(last=big_is_dear)
    core = governed(rules, mode="observe", baseline="round-robin")
    pools = {intents(core.handle(arrive(1.0 + n, f"r{n}")))[0].pool for n in range(4)}
    assert pools == {"small"}


def test_record_before_release_is_passed_on_to_the_driver() -> None:
    core = governed(Rules(obligations=("record-before-release",)))
    commands = core.handle(arrive())
    assert next(c for c in commands if isinstance(c, Forward)).after_record
    assert intents(commands)[0].warrant.obligations == ("record-before-release",)


def forbid(action: str) -> dict:
    return {f"no-{action}": lambda subject, place: subject.action == action}


def test_a_loop_may_not_retry_where_policy_forbids_it() -> None:
    failed = AttemptFailed(at=1.1, request_id="r1", endpoint=0, cause="connect")
    for forbids, outcome in ((forbid("retry"), "failed"), ({}, "retried")):
        rules = Rules(forbids=forbids)
        core = governed(rules)
        core.handle(arrive())
        commands = core.handle(failed)
        ended = next(
            c.record for c in commands if isinstance(c, Record) and isinstance(c.record, Outcome)
        )
        assert ended.outcome == outcome
        asked = next(subject for subject, _, _ in rules.asked if subject.action == "retry")
        assert (asked.loop, asked.principal) == ("retry", "retry")


def test_a_retry_stays_at_its_site_where_spilling_is_forbidden() -> None:
    core = governed(Rules(forbids=forbid("spill")))
    (first,) = intents(core.handle(arrive()))
    commands = core.handle(AttemptFailed(1.1, "r1", 0, "connect"))
    (second,) = intents(commands)
    assert (first.pool, second.pool) == ("big", "big")
    commands = core.handle(AttemptFailed(1.2, "r1", 1, "connect"))
    assert refusal(commands).code == "policy_denied"


def test_a_loop_is_asked_for_once_for_each_class_and_bundle() -> None:
    rule = ContextRule(allow_truncation=True, tokens_min=64)
    cut = replace(fleets.CHAT, name="cut", context=rule)
    rules = Rules(forbids=forbid("truncate"))
    core = governed(rules, Rules((D2,)), classes=(cut,))
    for number in range(20):
        core.handle(arrive(1.0 + number, f"r{number}", prompt_bytes=60_000, body_digest=number))
    asked = [subject for subject, _, _ in rules.asked if subject.action == "truncate"]
    assert 1 <= len(asked) <= 2  # one for each pool that was chosen
    assert all(f.granted is None or f.granted.arm < 0 for f in core.state.flights.values())


def test_an_approval_counts_only_where_it_is_needed_and_only_once() -> None:
    from flyball.model.mandate import Approval

    def needs_approval(subject: Subject, circumstances: Circumstances, place: Place):
        if circumstances.approvals:
            return Verdict(allowed=True, policies=("approved",))
        return Verdict(allowed=False, policies=("needs-approval",))

    given = Approval(id="p1", by="eve", action_sha256="", policy_digest="", expires_at=100.0)
    core = governed(Rules(last=needs_approval))
    shown = mandate(approvals=(given,))
    (intent,) = intents(core.handle(arrive(mandate=shown)))
    assert intent.warrant.approvals == ("p1",)
    found = refusal(core.handle(arrive(2.0, "r2", mandate=shown)))
    assert found.code == "policy_denied" and "used already" in found.detail
    late = mandate("b7", approvals=(replace(given, id="p2"),))
    assert refusal(core.handle(arrive(101.0, "r3", mandate=late))).detail == "needs-approval"


def test_a_warrant_costs_nothing_where_there_is_none_and_comes_back_from_the_log() -> None:
    plain = Governor(fleets.fleet(), fleets.policy())
    (bare,) = intents(plain.handle(arrive()))
    assert b"warrant" not in encode(bare)
    assert decode(encode(bare)) == bare
    (whole,) = intents(governed(Rules()).handle(arrive(mandate=mandate())))
    assert decode(encode(whole)) == whole
    assert b"obligations" not in encode(whole)
