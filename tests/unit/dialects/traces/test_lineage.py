"""Are conversations told apart by their prefix blocks, within bounded memory?"""

from flyball.dialects.traces.lineage import Lineage


def test_a_longer_prefix_continues_its_session() -> None:
    lineage = Lineage()
    first = lineage.session((0, 1, 2))
    other = lineage.session((0, 5))
    assert lineage.session((0, 1, 2, 3)) == first != other
    assert lineage.session((0, 5, 6)) == other


def test_the_shared_first_block_joins_nothing() -> None:
    lineage = Lineage()
    assert lineage.session((0,)) != lineage.session((0,))


def test_oldest_blocks_are_forgotten() -> None:
    lineage = Lineage(blocks_max=2)
    first = lineage.session((0, 1))
    lineage.session((0, 2))
    lineage.session((0, 3))
    assert lineage.session((0, 1)) != first
