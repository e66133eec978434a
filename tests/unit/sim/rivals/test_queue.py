"""Do higher priorities go first, and equals in the order in which they came?"""

from flyball.sim.rivals.queue import Queue
from support import rivals


def test_bands_then_arrival() -> None:
    queue = Queue()
    for name, band in (("low", -1), ("a", 0), ("b", 0), ("high", 5)):
        queue.push(rivals.ask(name=name), band)
    assert [ask.request_id for ask in queue.asks()] == ["high", "a", "b", "low"]
    assert queue.bands() == [5, 0, -1]
    seen = []
    while (first := queue.first()) is not None:
        seen.append(first.request_id)
        assert queue.remove(first.request_id)
    assert seen == ["high", "a", "b", "low"]
    assert len(queue) == 0 and not queue.remove("a")


def test_one_may_leave_from_the_middle() -> None:
    queue = Queue()
    for name in ("a", "b", "c"):
        queue.push(rivals.ask(name=name), 0)
    assert queue.remove("b") and "b" not in queue and "c" in queue
    assert [ask.request_id for ask in queue.asks()] == ["a", "c"]
