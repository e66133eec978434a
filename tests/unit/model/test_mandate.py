"""A mandate names its chain's last block, and who acts."""

from flyball.model.mandate import Mandate


def test_the_human_acts_until_an_agent_is_delegated():
    root = Mandate(chain=("aa",), human="https://idp|ann")
    narrowed = Mandate(chain=("aa", "bb"), human="https://idp|ann", delegates=("coder",))
    assert (root.id, root.actor) == ("aa", "https://idp|ann")
    assert (narrowed.id, narrowed.actor) == ("bb", "coder")
