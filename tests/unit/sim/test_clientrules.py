"""How long does a client of a class wait, by what the scenario says?"""

from flyball.sim.clientrules import ClientRules


def test_patience_is_the_class_s_own_else_that_of_all_others_else_the_default() -> None:
    rules = ClientRules(patience_s={"chat": 8.0, "": 30.0})
    assert (rules.patience("chat"), rules.patience("batch")) == (8.0, 30.0)
    assert ClientRules().patience("chat") == 600.0
    assert ClientRules().patience("chat", 45.0) == 45.0
