"""How do the new prices come into force: taken here, shown to all, written down?"""

from flyball.governor.commands import Command, Publish, Record
from flyball.governor.state import State
from flyball.model.decision import PricesSet
from flyball.model.prices import PriceBoard
from flyball.units import Seconds


def publish(state: State, at: Seconds, board: PriceBoard, out: list[Command]) -> None:
    """Use the board, send it on, and record each pool's prices."""
    state.view.take_board(board)
    state.version_floor = board.version
    out.append(Publish(board))
    record = PricesSet(
        id=state.record_id("prices"),
        at=at,
        version=board.version,
        published=True,
        gap=board.gap,
        solve_s=0.0,
        reason="",
        prices=tuple(
            (p.pool, p.usd_per_gpu_second, p.usd_per_kv_token_second, p.usd_per_joule)
            for p in board.pools
        ),
    )
    out.append(Record(record))
