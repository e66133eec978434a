"""Is every fault of shape told at once, in plain words, with what is expected?"""

import pytest

from flyball.serve.config import ConfigErrors
from flyball.serve.config.shape import shown
from support.configs import config, faults


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("site: near", "siet: near", ["unknown key 'siet'", "Did you mean 'site'?", "is missing"]),
        ("engine: vllm", "engine: vlm", ["Did you mean 'vllm'?", "'sglang'"]),
        ("rtt_ms: 2}", "rtt_ms: 2ms}", ["found text, '2ms'", "unit is part of the key"]),
        ("rtt_ms: 2}", "rtt_ms: -2}", ["sites.near.rtt_ms", "-2 is out of bounds", "at least 0"]),
        ("rtt_ms: 2}", "rtt_ms: }", ["found nothing", "delete the key"]),
        ("rtt_ms: 2}", "rtt_ms: .inf}", ["finite"]),
        ("jurisdiction: NO", "jurisdiction: true", ["found true or false", "quotes"]),
        ("jurisdiction: NO", "jurisdiction: 'N O'", ["sites.near.jurisdiction", "EU, NO, US-CA"]),
        ("models: [m]", "models: []", ["pools.small.models: is empty"]),
        ("models: [m]", "models: m", ["expected a list, found text"]),
        ("  small:", "  s mall:", ["pools.s mall", "the name 's mall'"]),
        ("version: v1", "version: v2", ["Use one of 'v1'"]),
        ("sheddable: true", "sheddable: yes", ["expected true or false"]),
        ('["http://127.0.0.1:8101"]', "[5]", ["expected text or a mapping"]),
        ('["http://127.0.0.1:8101"]', "[{uri: x}]", ["'uri'", "Did you mean 'url'?"]),
        ("profile: l4/llama-3.1-8b", "profile: {base: x, seqs: 1}", ["Did you mean 'seqs_max'?"]),
        ("key_env: ANN_KEY", "key_env: a-b", ["not its value"]),
        ("key_env: ANN_KEY", "key_sha256: abc", ["64 hexadecimal digits"]),
        ("ttft_ms: 900", "ttft_ms: 1e999", ["finite"]),
        ("models: [m]", f"models: [{'m' * 300}]", ["longer than 256"]),
        ("version: v1", "version: v1\nlisten: {port: 70000}", ["at most 65535"]),
        ("version: v1", "version: v1\nlisten: {port: 8080.5}", ["a whole number", "8080.5"]),
        ("version: v1", "version: v1\npricing: {ttft_width_ms: 0}", ["more than 0"]),
    ],
)
def test_a_fault_is_told_in_plain_words(old: str, new: str, told: list[str]) -> None:
    text = "\n".join(faults((old, new)))
    for words in told:
        assert words in text, text


def test_all_faults_come_at_once_with_their_places() -> None:
    with pytest.raises(ConfigErrors) as found:
        config(
            ("rtt_ms: 2}", "rtt_ms: x}"),
            ("site: far", "site: fra"),
            ("models: [m, chat]", "models: [m, m]"),
            ("ttft_ms: 900", "ttft: 900"),
            env={},
        )
    places = {(e.line, e.path) for e in found.value.errors}
    assert places >= {
        (3, "sites.near.rtt_ms"),
        (13, "pools.big.site"),
        (16, "pools.big.models[1]"),
        (17, "pools.big.endpoints[0].api_key_env"),
        (19, "classes.talk.ttft"),
        (22, "principals.ann.key_env"),
    }


def test_a_secret_is_never_shown() -> None:
    text = "\n".join(faults(("key_env: ANN_KEY", "key: 918273645")))
    assert "918273645" not in text
    assert "(not shown)" in text


def test_a_number_key_is_a_fault_with_its_place() -> None:
    assert any("this key is not text" in line for line in faults(("  small:", "  17:")))


def test_long_values_are_cut() -> None:
    assert len(shown((), "x" * 500)) < 70
    assert shown((), [1, 2]) == "with 2 entries"
