"""Is it believed of an endpoint what was sent there, and no more than fits?"""

from flyball.sim.rivals.affinity import Affinity, engine_tokens
from support import rivals


def test_matches_are_leading_blocks() -> None:
    index = Affinity(rivals.setting(2), [64_000, 64_000])
    index.sent(rivals.ask((1, 2, 3)), 0)
    index.sent(rivals.ask((1, 9)), 1)
    request = rivals.ask((1, 2, 4, 5))
    assert index.match(request) == {0: 2, 1: 1}
    assert index.ratio(request, 2) == 0.5 and index.ratio(request, 0) == 0.0
    again = rivals.ask((1, 2, 3))
    index.sent(again, 0)
    assert again.cached_tokens == 3 * 64
    index.forget(0)
    assert index.match(request) == {1: 1}


def test_least_recently_used_goes_first() -> None:
    index = Affinity(rivals.setting(1), [4 * 64])
    for block in (1, 2, 3, 4, 5):
        index.sent(rivals.ask((block,)), 0)
    assert index.match(rivals.ask((1,))) == {}
    assert index.match(rivals.ask((5,))) == {0: 1}


def test_only_so_much_of_a_prompt_is_looked_at() -> None:
    index = Affinity(rivals.setting(1), [64_000], prefix_tokens_max=2 * 64)
    index.sent(rivals.ask((1, 2, 3, 4)), 0)
    request = rivals.ask((1, 2, 3, 4))
    assert index.match(request) == {0: 2} and index.ratio(request, 2) == 0.5


def test_engines_tell_their_size() -> None:
    assert engine_tokens(rivals.setting(2)) == [397_000, 397_000]
