"""Does the control process know what each worker has open, and how it ended?"""

import asyncio
import sys

from hypothesis import given
from hypothesis import strategies as st

from flyball.serve.process.control import SILENT_LOOKS_MAX, START_S_MAX, Slot, _how
from flyball.serve.process.link import FromWorker, Link

CHANGES = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3), st.just("e")))


def test_open_requests_carry_their_last_attempt() -> None:
    slot = Slot(0)
    slot.note([("a", 1, "x"), ("b", 1, "x"), ("a", 0, ""), ("a", 2, "y"), ("c", 0, "")])
    assert slot.open == {"a": (2, "y"), "b": (1, "x")}


@given(CHANGES)
def test_what_is_open_is_what_was_opened_last(changes: list[tuple[str, int, str]]) -> None:
    slot = Slot(0)
    slot.note(changes)
    last = {request_id: attempt for request_id, attempt, _ in changes}
    assert {key: value[0] for key, value in slot.open.items()} == {
        key: attempt for key, attempt in last.items() if attempt
    }


def test_a_process_is_killed_once_and_its_end_is_named() -> None:
    async def scene() -> int:
        slot = Slot(0)
        slot.kill()
        slot.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import time; time.sleep(60)"
        )
        slot.kill()
        code = await slot.process.wait()
        slot.kill()
        return code

    assert _how(asyncio.run(scene())) == "signal SIGKILL"
    assert _how(3) == "exit code 3"


def _link() -> Link[FromWorker]:
    return Link(
        FromWorker,
        on_frame=lambda frame: None,
        on_closed=lambda reason: None,
        on_blocked=lambda blocked: None,
    )


def test_a_worker_hangs_when_nothing_is_heard_in_look_after_look() -> None:
    slot = Slot(0)
    assert not any(slot.look() for _ in range(100)), "there is nobody to be heard"
    slot.link, slot.silent_looks = _link(), 0
    slot.is_ready.set()
    assert [slot.look() for _ in range(SILENT_LOOKS_MAX + 1)] == [False] * SILENT_LOOKS_MAX + [True]


def test_a_worker_that_starts_has_as_long_as_a_start_may_take() -> None:
    slot = Slot(0)
    slot.link = _link()
    assert sum(not slot.look() for _ in range(100)) == int(START_S_MAX)
