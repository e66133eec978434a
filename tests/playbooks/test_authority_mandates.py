"""A request with a mandate: what it covers is let in, all else is refused by its own code."""

import pytest

from flyball.governor.commands import Forward, Record, Reject
from flyball.governor.events import FeedHeard, FirstByte, RequestArrived, Revoked, Served
from flyball.governor.governor import Governor
from flyball.governor.policy import AuthorityRules
from flyball.model.decision import Feasibility, Intent, Outcome
from flyball.model.faults import Refusal
from flyball.model.request import Principal, RequestClass
from support import fleets
from support.authority import mandate
from support.playbook import Playbook, a

HEALTH = RequestClass(name="health", data_class="special")


def governor(rules: AuthorityRules | None = None, **changes: object) -> Governor:
    classes = (fleets.CHAT, fleets.EU_ONLY, HEALTH)
    changes.setdefault("classes", classes)
    return Governor(fleets.fleet(), fleets.policy(authority=rules or AuthorityRules(), **changes))


def arrive(at: float = 1.0, request_id: str = "r1", **head: object) -> RequestArrived:
    return RequestArrived(at=at, request_id=request_id, head=fleets.head(**head), draw=0.5)


def refusal_of(core: Governor, event: RequestArrived) -> Refusal:
    commands = core.handle(event)
    return next(command.refusal for command in commands if isinstance(command, Reject))


def test_a_mandate_lets_its_actor_in_and_its_chain_is_recorded() -> None:
    play = Playbook(governor())
    held = mandate("b0", "b1", root_key="k1", holder="thumb", is_held=True)
    (
        play
        >> arrive(mandate=held)
        << a(Record, record=a(Feasibility))
        << a(
            Record,
            record=a(
                Intent,
                principal="agent-7",
                warrant=lambda w: (
                    (w.chain, w.human, w.actor, w.root_key, w.holder)
                    == (("b0", "b1"), "https://id.example|ann", "agent-7", "k1", "thumb")
                ),
            ),
        )
        << a(Forward)
    )
    play.done()


@pytest.mark.parametrize(
    ("code", "at", "changes", "head"),
    [
        ("mandate_expired", 3602.0, {}, {}),
        ("mandate_expired", 1.0, {"not_before": 4.0}, {}),
        ("mandate_expired", 10.0, {"expires_at": 0.0}, {}),
        ("mandate_narrower", 1.0, {"operations": ("embedding",)}, {}),
        ("mandate_narrower", 1.0, {"models": ("tiny",)}, {}),
        ("mandate_narrower", 1.0, {"classes": ("eu-chat",)}, {"class_hint": "chat"}),
        ("mandate_narrower", 1.0, {"data_classes": ("public",)}, {"class_hint": "health"}),
        ("mandate_narrower", 1.0, {"depth_left": -1}, {}),
        ("jurisdiction_refused", 1.0, {"jurisdictions": ("NO",)}, {}),
        ("policy_digest_differs", 1.0, {"policy_digest": "sha256:other"}, {}),
        ("holder_not_shown", 1.0, {"holder": "thumb"}, {}),
        ("holder_not_shown", 1.0, {}, {"class_hint": "health"}),
        ("unknown_class", 1.0, {}, {"class_hint": "no-such"}),
    ],
)
def test_what_it_does_not_cover_is_refused(
    code: str, at: float, changes: dict[str, object], head: dict[str, object]
) -> None:
    core = governor(AuthorityRules(bound_data_classes=("special",)))
    refusal = refusal_of(core, arrive(at, mandate=mandate(**changes), **head))
    assert refusal.code == code, refusal.message
    assert not core.state.flights


@pytest.mark.parametrize("at", [3601.9, 0.0])
def test_clocks_may_be_two_seconds_apart(at: float) -> None:
    core = governor()
    event = arrive(at, mandate=mandate(not_before=2.0))
    assert any(isinstance(command, Forward) for command in core.handle(event))


def test_the_class_of_a_mandate_with_one_class_need_not_be_named() -> None:
    core = governor()
    commands = core.handle(arrive(mandate=mandate(classes=("eu-chat",))))
    forward = next(command for command in commands if isinstance(command, Forward))
    assert forward.class_name == "eu-chat"


def test_its_jurisdictions_bound_where_it_runs() -> None:
    core = governor()
    commands = core.handle(arrive(mandate=mandate(jurisdictions=("EU",))))
    intent = next(
        c.record for c in commands if isinstance(c, Record) and isinstance(c.record, Intent)
    )
    assert intent.pool == "small"


def test_one_revoked_block_voids_all_that_follow_it_and_nothing_else() -> None:
    core = governor()
    core.handle(Revoked(0.5, "feed", 1, ("b1",), "ann", "lost laptop"))
    child = mandate("b0", "b1", "b2")
    sibling = mandate("b0", "b9")
    assert refusal_of(core, arrive(mandate=child)).code == "mandate_revoked"
    assert any(
        isinstance(c, Forward) for c in core.handle(arrive(request_id="r2", mandate=sibling))
    )


def test_a_person_revoked_may_get_new_mandates_which_hold() -> None:
    core = governor()
    subjects = ("human:https://id.example|ann", "session:https://id.example|s1")
    for subject, old in zip(
        subjects,
        (mandate("b0"), mandate("b3", session="s1", human="https://id.example|bob")),
        strict=True,
    ):
        core.handle(Revoked(5.0, "feed", 1, (), "ops", "left", made_at=4.0, subjects=(subject,)))
        assert refusal_of(core, arrive(6.0, mandate=old)).code == "mandate_revoked"
    newer = mandate("b5", not_before=4.5, session="s2")
    assert any(isinstance(c, Forward) for c in core.handle(arrive(7.0, "r9", mandate=newer)))


def test_a_silent_feed_refuses_by_the_class_of_data() -> None:
    rules = AuthorityRules(feeds=("hq",))
    core = governor(rules)
    ours = mandate()
    assert refusal_of(core, arrive(1.0, mandate=ours)).code == "revocation_stale"
    core.handle(FeedHeard(1.0, "hq", 1))
    core.handle(FeedHeard(900.0, "unknown feed", 1))
    assert refusal_of(core, arrive(7.0, mandate=ours, class_hint="health")).code == (
        "revocation_stale"
    )
    commands = core.handle(arrive(7.0, "r2", mandate=ours, class_hint="chat"))
    assert any(isinstance(command, Forward) for command in commands)
    # An opaque key has no chain that could have been revoked.
    commands = core.handle(arrive(9000.0, "r3", class_hint="health"))
    assert not any(isinstance(c, Reject) for c in commands)


def test_equal_limits_share_one_scope_whoever_holds_the_mandate() -> None:
    core = governor()
    for number in range(500):
        held = mandate(f"root{number}", f"leaf{number}", delegates=(f"agent-{number}",))
        core.handle(arrive(1.0 + number, f"r{number}", mandate=held))
        core.handle(FirstByte(1.2 + number, f"r{number}"))
        core.handle(Served(1.5 + number, f"r{number}", 200, output_tokens=5))
    assert len(core.state.scopes_made) == 1
    assert not any(party.flights for party in core.state.mandates.parties.values())


def test_agents_of_the_same_name_do_not_share_a_session() -> None:
    core = governor()
    for number, human in enumerate(("i|ann", "i|bob")):
        held = mandate(f"b{number}", human=human)
        core.handle(arrive(1.0, f"r{number}", mandate=held, session_hint="s", body_digest=0))
    keys = {flight.session for flight in core.state.flights.values()}
    assert keys == {"i|ann/agent-7/s", "i|bob/agent-7/s"}


def test_who_has_no_key_needs_a_mandate_where_the_operator_says_so() -> None:
    core = governor(AuthorityRules(requires_mandate=True))
    assert refusal_of(core, arrive()).code == "missing_api_key"
    assert refusal_of(core, arrive(key_sha256="aa")).code == "invalid_api_key"
    known = governor(
        AuthorityRules(requires_mandate=True), principals=(Principal(name="p", key_sha256="aa"),)
    )
    assert any(isinstance(c, Forward) for c in known.handle(arrive(key_sha256="aa")))


def test_a_record_of_an_opaque_key_without_policy_says_nothing_of_authority() -> None:
    core = governor()
    commands = core.handle(arrive())
    records = [c.record for c in commands if isinstance(c, Record)]
    assert not any(getattr(record, "warrant", None) for record in records)
    core.handle(FirstByte(1.2, "r1"))
    (ended,) = core.handle(Served(1.5, "r1", 200, output_tokens=5))
    assert isinstance(ended, Record) and isinstance(ended.record, Outcome)
    assert not ended.record.spent_micro_usd


def test_no_name_can_be_made_up_to_reach_anothers_session_or_scope() -> None:
    from flyball.governor.mandates import Party

    pairs = [
        (mandate("a", human="i|ann", delegates=("bob/x",)), mandate("b", human="i|ann/bob")),
        (
            mandate("a", delegates=("x",), tenant="y', 1, 0"),
            mandate("b", delegates=("x', 'y",), tenant="1"),
        ),
    ]
    for one, other in pairs:
        mine, theirs = Party(one), Party(other)
        assert mine.owner != theirs.owner or mine.who != theirs.who
        assert mine.who != theirs.who
    ann, bob = Party(pairs[0][0]), Party(mandate("c", human="i|ann/bob", delegates=("x",)))
    assert ann.owner != bob.owner
