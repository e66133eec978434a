"""Does an explanation name the rule, the condition, the fact, and who can change it?"""

from flyball.authority.policy.cedar import CedarAuthority
from flyball.authority.policy.explain import explain, lines
from support.policies import PERMIT, circumstances, example, place, policy_set, subject

ASKED = CedarAuthority((example(),))


def test_which_rule_which_fact_and_whose() -> None:
    who = subject(model="llama-3.1-8b", data_class="personal", data_home="NO")
    told = explain(ASKED, who, circumstances(), place(jurisdiction="US"))
    assert not told.allowed
    (rule,) = told.sets[0].rules
    assert (rule.id, rule.effect, rule.part) == ("residency", "forbid", "decided")
    assert (rule.owner, rule.basis) == ("privacy@example.org", "GDPR Art. 44")
    assert [(step.condition, step.came_to) for step in rule.steps] == [
        ('["personal", "special"].contains(context.dataClass)', "holds"),
        ("resource in context.dataHome", "fails"),
        ('context.dataClass == "personal"', "holds"),
        ("context has transferBasis", "fails"),
    ]
    facts = {fact.name: (fact.value, fact.said_by) for fact in rule.facts}
    assert facts["resource"][0] == "h100-paris in US"
    assert facts["context.dataHome"][0] == 'Jurisdiction::"NO"'
    assert facts["context.transferBasis"] == ("not there", "the request's class, in the fleet file")
    text = "\n".join(lines(told))
    assert text.startswith("DENIED\n")
    assert "forbid residency (GDPR Art. 44) decided, site.cedar:" in text
    assert "owner  privacy@example.org" in text
    assert "advice Run it at a site in the data's home" in text


def test_why_it_is_allowed_and_what_must_be_met() -> None:
    who = subject(model="llama-3.1-8b", data_class="special", data_home="EEA")
    told = explain(ASKED, who, circumstances(), place(jurisdiction="DE"))
    assert told.allowed
    assert [rule.id for rule in told.sets[0].rules] == [
        "people-and-agents",
        "special-data-is-recorded-first",
    ]
    assert "to be met: record-async, record-before-release" in "\n".join(lines(told))


def test_what_nothing_permits_shows_how_near_each_permit_came() -> None:
    asked = CedarAuthority(
        (
            policy_set(
                '@id("few") permit(principal is Human, action, resource);'
                '@id("tier") permit(principal, action, resource) when { resource.tier == "edge" };'
            ),
        )
    )
    told = explain(asked, subject(), circumstances(), place())
    assert [(rule.id, rule.part) for rule in told.sets[0].rules] == [
        ("few", "did not permit"),
        ("tier", "did not permit"),
    ]
    text = "\n".join(lines(told))
    assert "Nothing permits it. What comes nearest:" in text
    assert 'fails  resource.tier == "edge"' in text
    assert 'fact   resource.tier = "central", by the pool or its site' in text
    assert "owner  not stated" in text


def test_an_error_is_told_with_its_rule() -> None:
    text = PERMIT + '@id("b") forbid(principal, action, resource) when {context.depth * 9 > 1};'
    told = explain(
        CedarAuthority((policy_set(text),)), subject(depth=2**62), circumstances(), place()
    )
    assert not told.allowed and "`b`" in told.sets[0].errors[0]
    by_id = {rule.id: rule for rule in told.sets[0].rules}
    assert by_id["b"].part == "erred" and by_id["b"].steps[0].came_to == "errs"
    assert "error: " in "\n".join(lines(told))


def test_what_cannot_be_asked_is_told_without_rules() -> None:
    told = explain(ASKED, subject(), circumstances(at=float("nan")), place())
    assert not told.allowed and told.sets[0].errors and not told.sets[0].rules


def test_each_set_is_told_apart() -> None:
    asked = CedarAuthority((policy_set(PERMIT, digest="sha256:1"), example()))
    told = explain(asked, subject(model="odd"), circumstances(), place())
    assert [one.allowed for one in told.sets] == [True, False]
    text = "\n".join(lines(told))
    assert "policies sha256:1: allow" in text and "forbid approved-models" in text


def test_all_kinds_of_facts_are_shown() -> None:
    text = (
        '@id("a") permit(principal in Role::"budget", action == Action::"infer",'
        ' resource == Pool::"h100-paris") when { resource.certificates.contains("x") ||'
        " context.approvedBy.isEmpty() } when { [resource].contains(resource) };"
    )
    told = explain(CedarAuthority((policy_set(text),)), subject(), circumstances(), place())
    facts = {fact.name: fact.value for fact in told.sets[0].rules[0].facts}
    assert facts["principal"] == 'Agent::"scribe"' and facts["action"] == "infer"
    assert facts["resource.certificates"] == "[]" and facts["context.approvedBy"] == "[]"
    assert facts["resource.tier"] == '"central"' and facts["resource"] == "h100-paris in FR"
