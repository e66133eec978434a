"""Is every bundle refused that must not come into force, for its own reason?"""

import random

import msgspec
import pytest
from msgspec.structs import replace

from flyball.authority.bundles.archive import PROOF, BundleError, pack, unpack
from flyball.authority.bundles.bundle import Bundle, Requires, build, decode
from flyball.authority.bundles.vet import (
    Demands,
    Obligation,
    Vetted,
    check_engine,
    check_obligations,
    check_order,
    check_policies,
    check_signers,
    check_tests,
    check_times,
    read_json,
    vet,
)
from support.bundles import (
    ALICE,
    BOB,
    CAROL,
    NOW,
    PERMIT,
    SIGNERS,
    bundle,
    content,
    forbids,
    manifest,
    person,
    signed,
)

TWO = Demands(signers=SIGNERS, least=2)
MALLORY = person("mallory", 66)


def code(made: Bundle, demands: Demands = TWO, **more: object) -> str:
    with pytest.raises(BundleError) as caught:
        vet(made, demands, NOW, **more)  # type: ignore[arg-type]
    return caught.value.code


def test_a_good_bundle_comes_with_its_policies_limits_and_signers() -> None:
    made = bundle(forbids("slow"), files={"limits": {"attempts_max": 2}})
    found: Vetted = vet(made, TWO, NOW)
    assert found.signers == ("alice", "bob")
    assert found.policy_set.digest == made.digest
    assert [rule.id for rule in found.policy_set.rules] == ["base", "no-slow"]
    assert found.ceilings.attempts_max == 2


@pytest.mark.parametrize(
    ("signers", "wanted"),
    [
        ((), "unsigned"),
        ((ALICE,), "signers"),
        ((MALLORY,), "signers"),
        ((ALICE, MALLORY), "signers"),
        ((ALICE, BOB), ""),
        ((ALICE, BOB, MALLORY), ""),
        ((ALICE, BOB, CAROL), ""),
    ],
)
def test_m_of_n(signers: tuple, wanted: str) -> None:
    made = bundle(signers=signers)
    if wanted:
        assert code(made) == wanted
    else:
        assert check_signers(made, TWO)


def test_a_stripped_signature_is_missed_whatever_the_bundle_says() -> None:
    made = bundle(requires=Requires(0, ()))
    assert code(replace(made, envelope=b"")) == "unsigned"
    assert vet(replace(made, envelope=b""), Demands(), NOW).signers == ()


def test_one_key_under_two_names_is_no_second_signer() -> None:
    same = {"alice": SIGNERS["alice"], "again": SIGNERS["alice"]}
    assert code(bundle(signers=(ALICE,)), Demands(signers=same, least=2)) == "signed_twice"


def test_signatures_of_another_bundle_do_not_count() -> None:
    other = bundle(version=2)
    assert code(replace(bundle(), envelope=other.envelope)) == "signature"


def test_a_bad_signature_of_a_stranger_is_refused_too() -> None:
    made = signed(bundle(), ALICE, BOB, MALLORY)
    broken = msgspec.json.decode(made.envelope)
    stranger = next(s for s in broken["signatures"] if s["keyid"] not in SIGNERS.values())
    stranger["sig"] = broken["signatures"][0]["sig"][:-4] + "AA=="
    text = msgspec.json.encode(broken, order="sorted")
    assert code(replace(made, envelope=text)) == "signature"


def test_the_publisher_may_ask_for_more_never_for_less() -> None:
    asks = Requires(2, (SIGNERS["alice"], SIGNERS["carol"]))
    assert code(bundle(requires=asks)) == "signers"
    assert vet(bundle(requires=asks, signers=(ALICE, CAROL)), TWO, NOW).signers
    assert vet(bundle(requires=asks, signers=()), Demands(), NOW)


def test_times() -> None:
    about = manifest(not_before="2027-01-01T00:00:00Z", expires="2027-01-02T00:00:00Z")
    for at, wanted in (
        (about.not_before_at - 1, "not_yet_valid"),
        (about.expires_at, "expired"),
        (about.expires_at + 1, "expired"),
    ):
        with pytest.raises(BundleError) as caught:
            check_times(about, at)
        assert caught.value.code == wanted
    check_times(about, about.not_before_at)
    check_times(about, about.expires_at - 1)


def test_order() -> None:
    before = bundle(version=5)
    for made, wanted in (
        (bundle(version=4), "rollback"),
        (bundle(forbids("slow"), version=5), "rollback"),
        (bundle(version=6, name="other"), "other_bundle"),
        (bundle(version=6, tenant="acme"), "other_bundle"),
    ):
        assert code(made, before=before.manifest) == wanted
    check_order(bundle(version=5), before.manifest)
    check_order(bundle(version=6), before.manifest)


def test_whose_it_is() -> None:
    demands = replace(TWO, tenant="acme")
    assert code(bundle(tenant="other"), demands) == "tenant"
    assert vet(bundle(tenant="acme"), demands, NOW)


@pytest.mark.parametrize(
    "required", ["opa>=1.0", "cedar>=5.0", "cedar>=3.0", "cedar>=4.999", "cedar", "", "cedar>=4.8;"]
)
def test_an_engine_that_is_not_here_is_refused(required: str) -> None:
    with pytest.raises(BundleError) as caught:
        check_engine(required)
    assert caught.value.code == "engine"


def test_the_proof_is_asked_for_by_the_receiver_alone() -> None:
    def none(made: Bundle) -> None:
        raise BundleError("no_proof", "none")

    assert code(bundle(), replace(TWO, check_proof=none)) == "no_proof"
    assert code(bundle(signers=()), replace(TWO, check_proof=none)) == "unsigned"


@pytest.mark.parametrize(
    "policies",
    [
        "permit (principal, action",
        "",
        "permit (principal, action, resource) when { context.nothing };",
        "permit (principal == ?principal, action, resource);",
    ],
)
def test_policies_with_a_fault_are_refused(policies: str) -> None:
    made = build(manifest(), content(policies))
    with pytest.raises(BundleError) as caught:
        check_policies(made)
    assert caught.value.code == "policies"


def test_its_own_schema_must_hold_too() -> None:
    narrow = (
        b"entity Pool; entity Key; action infer appliesTo {principal: [Key], resource: [Pool]};"
    )
    for schema in (narrow, b"nonsense"):
        made = build(manifest(), content(forbids("slow")) | {"schema.cedarschema": schema})
        with pytest.raises(BundleError) as caught:
            check_policies(made)
        assert caught.value.code == "schema"


def test_its_own_tests_must_pass() -> None:
    failing = {"tests": {"tests": [{"name": "no", "expect": "deny"}]}}
    assert code(bundle(files=failing)) == "tests"
    for odd in ({}, [], {"tests": []}, {"tests": [{"expect": "maybe"}]}, {"tests": 3}):
        made = build(manifest(), content(tests=odd))
        with pytest.raises(BundleError) as caught:
            check_tests(made, check_policies(made))
        assert caught.value.code == "tests"


@pytest.mark.parametrize(
    ("stated", "is_good"),
    [
        ({}, False),
        ({"call-home": {"by": "caller"}}, True),
        ({"call-home": {"by": "governor"}}, False),
        ({"call-home": {"by": "nobody"}}, False),
        ({"call-home": {"by": "caller", "more": 1}}, False),
        ([], False),
    ],
)
def test_an_obligation_that_nobody_meets_is_refused(stated: object, is_good: bool) -> None:
    policies = '@id("a") @obligation("call-home, record-before-release")' + PERMIT[11:]
    made = build(manifest(), content(policies, obligations=stated))
    if is_good:
        check_obligations(made, check_policies(made))
        assert read_json(made, "obligations.json", dict[str, Obligation], "x")
        return
    with pytest.raises(BundleError) as caught:
        check_obligations(made, check_policies(made))
    assert caught.value.code == "obligations"


@pytest.mark.parametrize("limits", [{"attempt_max": 1}, {"attempts_max": 0}, {"classes": []}, []])
def test_limits_that_are_not_understood_are_refused(limits: object) -> None:
    assert code(bundle(files={"limits": limits})) == "limits"


def test_files_that_are_not_text_are_refused() -> None:
    made = build(manifest(), content() | {"policies.cedar": b"\xff"})
    assert code(signed(made, ALICE, BOB)) == "content"


def test_every_byte_that_is_turned_is_found() -> None:
    """In what a receiver checks who asks for signatures of all three."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    three = Demands(signers=SIGNERS, least=3)
    whole = bundle(forbids("slow"), signers=(ALICE, BOB, CAROL), files={"limits": {}}).encode()
    vet(decode(whole), three, NOW)
    said = range(whole.index(b'{"payload"'), whole.index(b"]}", whole.index(b'"sig"')) + 2)
    bits = [(place, 1 << draw.randrange(8)) for place in range(len(whole))]
    bits += [(place, 1 << bit) for place in said for bit in range(8)]
    for place, bit in bits:
        data = bytearray(whole)
        data[place] ^= bit
        with pytest.raises(BundleError):
            vet(decode(bytes(data)), three, NOW)


def test_a_proof_that_was_not_asked_for_is_not_read() -> None:
    files = unpack(bundle().encode()) | {PROOF: b"nonsense"}
    assert vet(decode(pack(files)), TWO, NOW)
