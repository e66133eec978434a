"""Does a board know its age, and when it may no longer be acted on?"""

from flyball.model.prices import NO_BOARD, PriceBoard


def test_age_is_never_negative() -> None:
    board = PriceBoard(version=1, made_at=10.0, valid_until=40.0)
    assert (board.age_s(25.0), board.age_s(5.0)) == (15.0, 0.0)


def test_validity_ends_with_its_time() -> None:
    board = PriceBoard(version=1, made_at=10.0, valid_until=40.0)
    assert board.is_valid(40.0)
    assert not board.is_valid(40.001)
    assert not NO_BOARD.is_valid(0.0)
