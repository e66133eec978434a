"""Is a bundle what its manifest says, to the byte, and nothing else?"""

import json
import random

import msgspec
import pytest

from flyball.authority.bundles.archive import MANIFEST, NAMES, BundleError, pack, unpack
from flyball.authority.bundles.bundle import Bundle, Manifest, Requires, build, decode, instant
from support.bundles import ALICE, SIGNERS, bundle, content, manifest


def refused(data: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        decode(data)
    return f"{caught.value.code}: {caught.value}"


def with_manifest(made: Bundle, **changes: object) -> bytes:
    files = unpack(made.encode())
    said = json.loads(files[MANIFEST]) | changes
    files[MANIFEST] = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
    return pack(files)


def test_the_same_files_give_the_same_bytes_and_digest() -> None:
    one, two = bundle(), bundle()
    assert one.encode() == two.encode()
    turned = dict(reversed(content().items()))
    assert build(manifest(), turned).digest == one.digest
    assert decode(one.encode()) == one


def test_whatever_is_other_in_it_makes_another_digest() -> None:
    changes = [
        bundle(version=2), bundle(name="other"), bundle(tenant="acme"),
        bundle(expires="2098-01-01T00:00:00Z"), bundle('@id("x") ' + "permit (principal, action, "
        "resource);"), bundle(files={"limits": {"attempts_max": 1}}),
        bundle(requires=Requires(1, (SIGNERS["alice"],))),
    ]  # fmt: skip
    assert len({one.digest for one in [bundle(), *changes]}) == len(changes) + 1


def test_signatures_do_not_change_the_digest() -> None:
    assert bundle(signers=()).digest == bundle().digest == bundle(signers=(ALICE,)).digest


def test_the_statement_is_in_toto_v1_about_the_digest() -> None:
    made = bundle(tenant="acme", version=7)
    found = json.loads(made.statement())
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    (subject,) = found["subject"]
    assert "sha256:" + subject["digest"]["sha256"] == made.digest
    assert found["predicate"]["version"] == 7 and found["predicateType"]


def test_a_file_that_is_not_as_the_manifest_says_is_refused() -> None:
    made = bundle()
    for name in made.content:
        files = unpack(made.encode())
        files[name] += b" "
        assert refused(pack(files)) == f"digest: {name} is not what the manifest names"


def test_a_file_more_or_less_is_refused() -> None:
    files = unpack(bundle().encode())
    more = files | {"limits.json": b"{}"}
    assert "differ in limits.json" in refused(pack(more))
    for name in ("tests.json", "schema.cedarschema", "policies.cedar", "entities.json"):
        less = {key: data for key, data in files.items() if key != name}
        assert refused(pack(less)) == f"content: {name} is missing"
    assert "manifest: " in refused(pack({k: d for k, d in files.items() if k != MANIFEST}))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "flyball-policy/v2"},
        {"name": "../x"},
        {"name": ""},
        {"tenant": "a b"},
        {"version": 0},
        {"version": -1},
        {"version": 2**53},
        {"version": 1.5},
        {"version": True},
        {"notBefore": "tomorrow"},
        {"expires": "2030-01-01T00:00:00+01:00"},
        {"expires": "2019-01-01T00:00:00Z"},
        {"requires": {"least": 2, "signers": ["a"]}},
        {"requires": {"least": 1, "signers": ["a", "a"]}},
        {"requires": {"least": -1, "signers": []}},
        {"verified": True},
        {"digests": []},
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(changes: dict) -> None:
    assert refused(with_manifest(bundle(), **changes)).startswith(("manifest: ", "digest: "))


def test_a_manifest_in_another_spelling_is_refused() -> None:
    files = unpack(bundle().encode())
    files[MANIFEST] = json.dumps(json.loads(files[MANIFEST]), indent=1).encode()
    assert "canonical" in refused(pack(files))
    files[MANIFEST] = b"[" * 5000
    assert refused(pack(files)).startswith("manifest: ")


def test_times_are_utc() -> None:
    assert instant("1970-01-02T00:00:00Z") == 86_400
    about = Manifest(name="a", version=1, not_before=EPOCH, expires="1970-01-01T00:01:00Z")
    assert (about.not_before_at, about.expires_at) == (0, 60)


EPOCH = "1970-01-01T00:00:00Z"


def test_text_must_be_utf_8() -> None:
    files = content() | {"entities.json": b"\xff"}
    with pytest.raises(BundleError):
        build(manifest(), files).text("entities.json")
    assert bundle().text("limits.json") == ""


def test_random_bytes_never_do_more_than_be_refused() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(300):
        name = draw.choice(NAMES)
        refused(pack({MANIFEST: draw.randbytes(60), name: draw.randbytes(60)}))


def test_what_is_said_of_signers_travels() -> None:
    made = bundle(requires=Requires(1, (SIGNERS["alice"],)))
    assert decode(made.encode()).manifest.requires == Requires(1, (SIGNERS["alice"],))
    assert msgspec.json.decode(made.statement())["predicate"]["mediaType"] == made.manifest.format
