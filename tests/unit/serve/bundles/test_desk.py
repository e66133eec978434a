"""Which bundle is in force after good ones, bad ones, old ones, and none at all?"""

from pathlib import Path

import pytest

from flyball.authority.bundles.archive import pack, unpack
from flyball.governor.oversight import Missing
from flyball.serve.bundles.desk import VOID, Desk, demands_of
from flyball.serve.config import Config, ConfigErrors
from flyball.serve.process.authority import Shelf, in_force
from support.bundles import ALICE, NOW, SIGNERS, bundle, forbids, section
from support.configs import config

END = "principals:"


class World:
    """A desk, a clock, and the file that a fleet file names."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.folder, self.file = folder, folder / "work.tar"
        self.at = NOW
        self.more = more
        self.desk = Desk(lambda: self.at)

    def config(self) -> Config:
        return config((END, section(self.file, **self.more) + END), folder=self.folder)

    def offer(self, made: object) -> None:
        data = made if isinstance(made, bytes) else made.encode()  # type: ignore[attr-defined]
        self.file.write_bytes(data)

    def resolve(self) -> Config:
        return self.desk.resolve(self.config())

    def told(self) -> list[tuple[str, str]]:
        return [(one.code, one.reason.split(":")[0]) for one in self.desk.take_tidings()]

    def restart(self) -> None:
        self.desk = Desk(lambda: self.at)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def digest(found: Config) -> str:
    (one,) = found.authority.policies
    return one.digest


def test_a_good_bundle_is_in_force_and_kept(world: World) -> None:
    made = bundle(forbids("talk"), version=3)
    world.offer(made)
    found = world.resolve()
    (one,) = found.authority.policies
    assert (one.role, one.version, one.signers) == ("workload", 3, ("alice", "bob"))
    assert one.digest == made.digest and one.expires_at == made.manifest.expires_at
    event = in_force(found, 1.0)
    assert event.digests == (made.digest,) and event.origins[0].signers == ("alice", "bob")
    assert Shelf(found).authority(event.digests) is not None
    assert (world.folder / "bundles" / "workload.tar").read_bytes() == made.encode()
    assert world.told() == [("bundle-taken", "")]
    assert world.resolve() == found and world.told() == []


def test_what_is_signed_once_more_is_kept_with_all_signatures(world: World) -> None:
    world.offer(bundle())
    first = world.resolve()
    world.offer(bundle(signers=(ALICE, *bundle_signers())))
    found = world.resolve()
    assert digest(found) == digest(first)
    assert found.authority.policies[0].signers == ("alice", "bob", "carol")
    kept = (world.folder / "bundles" / "workload.tar").read_bytes()
    assert kept == world.file.read_bytes()


def bundle_signers() -> tuple:
    from support.bundles import BOB, CAROL

    return BOB, CAROL


@pytest.mark.parametrize("restarts", [False, True])
def test_a_bad_one_leaves_the_old_one_in_force_and_is_told_once(
    world: World, restarts: bool
) -> None:
    good = bundle(version=5)
    world.offer(good)
    world.resolve()
    world.told()
    files = unpack(bundle(version=6).encode())
    bad = {
        "rollback": bundle(version=4).encode(),
        "unsigned": bundle(version=6, signers=()).encode(),
        "signers": bundle(version=6, signers=(ALICE,)).encode(),
        "expired": bundle(version=6, expires="2021-01-01T00:00:00Z").encode(),
        "not_yet_valid": bundle(version=6, not_before="2090-01-01T00:00:00Z").encode(),
        "tests": bundle(version=6, files={"tests": {"tests": [{"expect": "deny"}]}}).encode(),
        "digest": pack(files | {"policies.cedar": b"permit(principal, action, resource);"}),
        "engine": bundle(version=6, required_engine="cedar>=9.0").encode(),
        "archive": b"nonsense",
    }
    for reason, data in bad.items():
        world.offer(data)
        if restarts:
            world.restart()
        assert digest(world.resolve()) == good.digest
        assert world.told() == [("bundle-refused", reason)]
        assert digest(world.resolve()) == good.digest
        assert world.told() == []


def test_versions_are_remembered_over_a_restart(world: World) -> None:
    world.offer(bundle(version=9))
    world.resolve()
    world.restart()
    world.offer(bundle(version=8))
    assert digest(world.resolve()) == bundle(version=9).digest
    assert world.told() == [("bundle-refused", "rollback")]


def test_a_source_that_is_away_is_no_refusal(world: World) -> None:
    world.offer(bundle())
    world.resolve()
    world.file.unlink()
    world.restart()
    assert digest(world.resolve()) == bundle().digest
    (told,) = world.desk.take_tidings()
    assert (told.code, told.level, told.is_recorded) == ("bundle-unreachable", "warning", False)


def test_without_any_that_holds_nothing_starts(world: World) -> None:
    with pytest.raises(ConfigErrors, match="workload: unreachable"):
        world.resolve()
    world.offer(bundle(signers=()))
    with pytest.raises(ConfigErrors, match="unsigned"):
        world.resolve()
    assert not (world.folder / "bundles").exists()
    world.offer(bundle(expires="2027-01-20T00:00:00Z"))
    world.resolve()
    world.restart()
    world.at += 366 * 86_400
    with pytest.raises(ConfigErrors, match="expired"):
        world.resolve()


def test_one_that_expires_in_force_allows_nothing_till_a_newer_one_comes(world: World) -> None:
    world.offer(bundle(expires="2027-01-20T00:00:00Z"))
    before = world.resolve()
    world.told()
    world.at = before.authority.policies[0].expires_at
    found = world.resolve()
    assert digest(found) == VOID + digest(before)
    digests = in_force(found, 1.0).digests
    assert Shelf(found).authority(digests) is None  # the core puts Missing in its place
    assert not Missing(digests).decide(None, None, None).allowed  # type: ignore[arg-type]
    assert world.told() == [("bundle-refused", "expired")]
    world.offer(bundle(version=2))
    assert digest(world.resolve()) == bundle(version=2).digest


def test_a_key_that_is_believed_no_more_takes_its_bundle_with_it(world: World) -> None:
    world.offer(bundle())
    world.resolve()
    world.more = {"signers": {"carol": SIGNERS["carol"]}, "signers_min": 1}
    assert digest(world.resolve()).startswith(VOID)
    world.restart()
    with pytest.raises(ConfigErrors, match="signers"):
        world.resolve()


def test_an_altered_copy_is_not_overlooked(world: World) -> None:
    world.offer(bundle())
    world.resolve()
    kept = world.folder / "bundles" / "workload.tar"
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    with pytest.raises(ConfigErrors, match="was altered"):
        world.resolve()


def test_limits_come_into_force_with_it_and_go_with_it(world: World) -> None:
    limits = {"attempts_max": 1, "classes": {"talk": {"allow_hedge": False}, "tlak": {}}}
    world.offer(bundle(files={"limits": limits}))
    assert world.resolve().policy.resilience.attempts_max == 1
    codes = [code for code, _ in world.told()]
    assert codes == ["bundle-taken", "bundle-limit"]
    world.resolve()
    assert world.told() == []
    world.offer(bundle(version=2))
    assert world.resolve().policy == world.config().policy


def test_without_bundles_it_reads_nothing(tmp_path: Path) -> None:
    plain = config(folder=tmp_path)
    assert Desk().resolve(plain) is plain


def test_what_the_file_wants_shown(world: World) -> None:
    settings = world.config().authority.bundles["workload"]
    found = demands_of(settings)
    assert (found.least, found.signers, found.check_proof) == (2, SIGNERS, None)
