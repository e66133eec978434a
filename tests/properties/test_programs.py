"""Whatever agents do: no session within its budget is stopped by it, and every table is bounded."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.governor.commands import Forward, Record, Reject
from flyball.governor.events import ClientGone, DeadlinePassed, RequestArrived, Served, Tick
from flyball.governor.governor import Governor
from flyball.model.decision import Intent, Outcome
from flyball.model.request import Promise, RequestClass, SessionRules
from support import fleets

CALLS = st.lists(
    st.tuples(
        st.integers(0, 5),  # session
        st.sampled_from(["serve", "leave", "late", "tick"]),
        st.integers(1, 60_000),  # prompt bytes
        st.integers(0, 6),  # what was added last
        st.floats(0.01, 200.0),  # pause before it, s
    ),
    max_size=80,
)


def coder(**rules: object) -> RequestClass:
    return RequestClass(
        name="coder",
        value_usd=0.05,
        promise=Promise(ttft_s=2.0, tpot_s=0.08),
        sessions=SessionRules(**rules),
    )


class Played:
    """One run: spend of each session as its client counts it, and what was refused."""

    def __init__(self, klass: RequestClass, calls: list[tuple[int, str, int, int, float]]) -> None:
        self.core = Governor(fleets.fleet(), fleets.policy(classes=(klass, fleets.CHAT)))
        self.steps: dict[int, int] = {}
        self.tokens: dict[int, int] = {}
        self.refused: list[tuple[int, str, int, int]] = []
        self.intents = self.outcomes = 0
        at = 1.0
        for number, (session, how, size, last, pause) in enumerate(calls):
            at += pause
            self._call(at, f"r{number}", session, how, size, last)

    def _call(self, at: float, request_id: str, session: int, how: str, size: int, last: int):
        if how == "tick":
            self._take(self.core.handle(Tick(at=at)))
            return
        head = fleets.head(
            session_hint=f"s{session}",
            session_source="header",
            prompt_bytes=size,
            body_digest=hash((session, size)) % 2**62,
            prefix=tuple(session * 1000 + n for n in range(size // 1024)),
            last_digest=last,
        )
        said = self._take(
            self.core.handle(RequestArrived(at=at, request_id=request_id, head=head, draw=0.5))
        )
        for one in said:
            if isinstance(one, Reject):
                spent = self.steps.get(session, 0), self.tokens.get(session, 0)
                self.refused.append((session, one.refusal.code, *spent))
                return
        if not any(isinstance(one, Forward) for one in said):
            self._take(self.core.handle(DeadlinePassed(at=at + 1e6, request_id=request_id)))
        elif how == "serve":
            tokens = size // 4 + 50
            self.steps[session] = self.steps.get(session, 0) + 1
            self.tokens[session] = self.tokens.get(session, 0) + tokens
            self._take(
                self.core.handle(
                    Served(
                        at=at + 0.005,
                        request_id=request_id,
                        status=200,
                        input_tokens=size // 4,
                        output_tokens=50,
                    )
                )
            )
        elif how == "leave":
            self._take(self.core.handle(ClientGone(at=at + 0.005, request_id=request_id)))
        else:
            self._take(self.core.handle(DeadlinePassed(at=at + 0.005, request_id=request_id)))

    def _take(self, said: list) -> list:
        for one in said:
            if isinstance(one, Record):
                self.intents += isinstance(one.record, Intent)
                self.outcomes += isinstance(one.record, Outcome) and one.record.attempts > 0
        return said


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_a_session_within_its_budget_is_never_stopped_by_it(calls) -> None:
    played = Played(coder(steps_max=7, runaway="off"), calls)
    for _, code, steps, _ in played.refused:
        assert code != "session_budget_spent" or steps >= 7


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_beyond_its_budget_no_call_is_placed(calls) -> None:
    played = Played(coder(steps_max=3, runaway="off"), calls)
    assert all(steps <= 3 for steps in played.steps.values())


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_every_placed_step_is_settled_and_counted_off(calls) -> None:
    played = Played(coder(), calls)
    group = played.core.state.programs.by_class["coder"]
    assert played.intents == played.outcomes
    assert not played.core.state.flights
    everyone = [*group.live.values(), *group.resting.values(), *group.waiting.values()]
    assert all(program.in_flight == 0 for program in everyone)
    assert len(everyone) <= 6
    assert played.core.state.programs.kv_running == 0
    assert sum(program.context for program in group.live.values()) == group.context_live
