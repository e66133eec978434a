"""Is every fault of a plan file told with its place, and does a sound one become a placement?"""

from math import inf
from pathlib import Path

import pytest

from flyball.cli import plan_input
from flyball.cli.file_shape import CannotUse
from flyball.pricing.placement import check
from flyball.pricing.work import Sizes

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "plans").glob("*.yaml"))
SOUND = """\
version: v1
origins:
  oslo: {}
sites:
  edge:
    jurisdiction: NO
    tier: edge
    rtt_ms: { oslo: 2 }
    power_watts_max: 900
    usd_per_kwh: 0.1
    owned: { L40S: 2 }
    rent: { H100-SXM: { max: 3, usd_per_hour: 9 }, L40S: {} }
classes:
  chat:
    model: llama-3.1-8b
    input_tokens: 1000
    output_tokens: 200
    cached_ratio: 0.25
    ttft_ms: 800
    jurisdictions: [NO]
demand:
  chat: { oslo: { rate: 5, sd: 1 } }
profiles: [l40s/llama-3.1-8b, h100/llama-3.1-8b]
"""


def write(folder: Path, text: str) -> str:
    file = folder / "it.yaml"
    file.write_text(text)
    return str(file)


def faults(folder: Path, old: str, new: str) -> str:
    assert old in SOUND
    with pytest.raises(CannotUse) as found:
        plan_input.load(write(folder, SOUND.replace(old, new)))
    assert found.value.exit_code == 2
    return found.value.message


def test_a_sound_file_is_a_placement(tmp_path: Path) -> None:
    asked = plan_input.load(write(tmp_path, SOUND))
    problem = asked.placement
    check(problem)
    assert asked.name == "it" and asked.notes == ()
    (site,) = problem.sites
    assert (site.jurisdiction, site.tier, site.power_watts_max) == ("NO", "edge", 900.0)
    l40s, h100 = problem.assets
    assert (l40s.accelerator, l40s.owned, l40s.rent_max) == ("L40S", 2, 1000)
    assert l40s.usd_per_hour == 3.77  # the list price
    assert (h100.owned, h100.rent_max, h100.usd_per_hour) == (0, 3, 9.0)
    assert [option.profile.name for option in problem.options] == [
        "l40s/llama-3.1-8b",
        "h100/llama-3.1-8b",
    ]
    (flow,) = problem.flows
    assert flow.sizes == Sizes(1000, 200, 0.25) and flow.rtt_s == (0.002,)
    assert (flow.rate_per_s, flow.rate_sd_per_s, flow.served_min) == (5.0, 1.0, 1.0)
    assert flow.klass.promise.ttft_s == 0.8 and flow.klass.jurisdictions == ("NO",)
    assert (problem.z, problem.in_time) == (2.0, 0.95)


def test_without_a_list_all_profiles_of_the_models_may_run(tmp_path: Path) -> None:
    text = SOUND.replace("profiles: [l40s/llama-3.1-8b, h100/llama-3.1-8b]\n", "")
    text = text.replace("    power_watts_max: 900\n", "")
    problem = plan_input.load(write(tmp_path, text)).placement
    models = {option.profile.model for option in problem.options}
    assert models == {"llama-3.1-8b"} and len(problem.options) > 6
    assert problem.sites[0].power_watts_max == inf


def test_a_profile_from_data_sheets_may_run(tmp_path: Path) -> None:
    text = SOUND.replace("h100/llama-3.1-8b]", "H100-SXM:llama-3.1-8b:2:fp8:vllm]")
    problem = plan_input.load(write(tmp_path, text)).placement
    assert problem.options[1].profile.accelerators == 2


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("power_watts_max", "power_wats_max", "it.yaml:9:5", "Did you mean 'power_watts_max'?"),
        ("tier: edge", "tier: egde", "it.yaml:7:11", "Did you mean 'edge'?"),
        ("rate: 5", "rate: -5", "it.yaml:22:25", "Mean requests per second"),
        ("    output_tokens: 200\n", "", "it.yaml:15:5", "output_tokens"),
        ("owned: { L40S", "owned: { L4OS", "it.yaml:11:14", "Did you mean 'L40S'?"),
        ("owned: { L40S", "owned: { B200", "it.yaml:11:14", "no profile here runs on B200"),
        ("rtt_ms: { oslo", "rtt_ms: { osla", "it.yaml:8:15", "Did you mean 'oslo'?"),
        ("rtt_ms: { oslo: 2 }", "tier: edge", "it.yaml:8:5", "stands twice"),
        ("    rtt_ms: { oslo: 2 }\n", "", "it.yaml:5:3", "no round trip from 'oslo'"),
        ("model: llama-3.1-8b", "model: llama-3.1-9b", "it.yaml:15:12", "'llama-3.1-8b'?"),
        ("  chat: { oslo: {", "  chta: { oslo: {", "it.yaml:22:3", "Did you mean 'chat'?"),
        ("{ oslo: { rate", "{ olso: { rate", "it.yaml:22:11", "Did you mean 'oslo'?"),
        ("[l40s/llama", "[l40/llama", "it.yaml:23:12", "Did you mean 'l40s/llama-3.1-8b'?"),
        ("h100/llama-3.1-8b]", "l40s/llama-3.1-8b]", "it.yaml:23", "stands twice"),
        ("{ oslo: { rate: 5, sd: 1 } }", "{}", "it.yaml:22:3", "nothing is asked for"),
        ("version: v1\n", "version: v1\nrtts: none.csv\n", "it.yaml:2:7", "cannot read none.csv"),
    ],
)
def test_each_fault_has_its_place_and_next_step(
    tmp_path: Path, old: str, new: str, place: str, words: str
) -> None:
    said = faults(tmp_path, old, new)
    assert place in said, said
    assert words in said, said


def test_several_faults_are_told_at_once(tmp_path: Path) -> None:
    said = faults(tmp_path, "owned: { L40S: 2 }", "owned: { L4OS: 2, H100: 1 }")
    assert said.count("error:") == 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_sound(path: Path) -> None:
    check(plan_input.load(str(path)).placement)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2


def test_regions_of_a_real_matrix(tmp_path: Path, real_data: Path) -> None:
    matrix = real_data / "network_price_carbon" / "azure_rtt_ms.csv"
    text = SOUND.replace("version: v1\n", f"version: v1\nrtts: {matrix}\n")
    text = text.replace("oslo: {}", "oslo: { region: Norway East }")
    text = text.replace("rtt_ms: { oslo: 2 }", "region: Germany West Central")
    (flow,) = plan_input.load(write(tmp_path, text)).placement.flows
    assert 0.01 < flow.rtt_s[0] < 0.05
