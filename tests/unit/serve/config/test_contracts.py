"""Do contracts and promises of a fleet file reach the core, and are impossible ones told?"""

import pytest

from flyball.serve.config.contracts import ContractSection, PromisesSection
from support.configs import config, faults

LONG = "ttft_ms: 900"


def test_a_contract_reaches_its_class() -> None:
    terms = "{objective: 0.999, objective_window_s: 3600, penalty_usd: 0.5, client_rtt_ms: 4}"
    talk = config((LONG, f"ttft_ms: 900, contract: {terms}")).policy.classes[0]
    assert (talk.objective, talk.objective_window_s, talk.penalty_usd) == (0.999, 3600.0, 0.5)
    assert talk.client_rtt_s == 0.004 and not talk.realtime


def test_the_deadline_of_a_real_time_class_is_its_promise() -> None:
    own = "e2e_ms: 2000, output_tokens_mean: 4, contract: {realtime: true}"
    talk = config((LONG, own)).policy.classes[0]
    assert talk.realtime and talk.deadline_s == 2.0


def test_promises_reach_the_policy() -> None:
    found = config(("version: v1", "version: v1\npromises: {quote_s: 3, quotes_max: 5}"))
    assert (found.policy.promises.quote_s, found.policy.promises.quotes_max) == (3.0, 5)
    assert found.policy.promises.risk == PromisesSection().risk


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("ttft_ms: 900, contract: {objective: 1}", "classes.talk.contract.objective"),
        ("ttft_ms: 900, contract: {objektive: 0.9}", "Did you mean 'objective'?"),
        ("e2e_ms: 400, output_tokens_mean: 1, contract: {client_rtt_ms: 395}", "talk.e2e_ms"),
    ],
)
def test_what_is_wrong_is_told(new: str, told: str) -> None:
    assert told in "\n".join(faults((LONG, new)))


def test_the_sections_defaults_are_the_core_s() -> None:
    assert (
        config().policy.promises
        == config(("version: v1", "version: v1\npromises: {}")).policy.promises
    )
    assert ContractSection().objective == config().policy.classes[0].objective
