"""Is an id used once, in bounded memory?"""

from flyball.authority.mandates.once import Once


def test_an_id_counts_once_for_its_time() -> None:
    once = Once(10.0)
    assert once.use("a", 0.0) and not once.use("a", 10.0)
    assert once.use("a", 21.0)


def test_full_it_refuses_rather_than_forgets() -> None:
    once = Once(10.0, ids_max=2)
    assert once.use("a", 0.0) and once.use("b", 1.0)
    assert not once.use("c", 2.0), "what cannot be remembered could be used twice"
    assert not once.use("a", 2.0)
    assert once.use("c", 10.5), "a's time is over, so there is room"
