"""Does each record stay in the jurisdiction where its attempt ran, and nothing get lost between?"""

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from flyball.governor.commands import Notice
from flyball.ledger.joint import judge_together
from flyball.ledger.record import encode
from flyball.ledger.trust import trust_of
from flyball.ledger.verify import check_log
from flyball.model.decision import Intent, Outcome, Record
from flyball.serve.config.logs import JurisdictionLogSection
from flyball.serve.config.model import LedgerSection
from flyball.serve.log.audit import audit_folder
from flyball.serve.log.places import Places, open_places
from flyball.serve.log.reader import files_in, open_log
from flyball.serve.log.recording import Recorder
from flyball.serve.log.writer import LedgerError
from support import fleets, records, signers

FLEET = fleets.fleet()
PLACES = {site.jurisdiction for site in FLEET.sites}
EU, US = "EU", "US"


def endpoint_in(place: str) -> str:
    sites = {pool.name: FLEET.site_of(pool).jurisdiction for pool in FLEET.pools}
    return next(one.name for one in FLEET.endpoints if sites[one.pool] == place)


def section(folder: Path, **changes: Any) -> LedgerSection:
    places = {name: JurisdictionLogSection(folder=str(folder / name)) for name in (EU, US)}
    return LedgerSection(folder=str(folder / "own"), jurisdictions=places, **changes)


def with_logs(found: LedgerSection, use: Any) -> int:
    async def work() -> int:
        notices: list[Notice] = []
        log = open_places(found, FLEET, lambda available, detail: None, notices.append)
        use(log)
        lost = log.close()
        assert not notices
        return lost

    return asyncio.run(work())


def intent(number: int, place: str) -> Intent:
    name = endpoint_in(place)
    return records.intent(
        number, endpoint=name, candidates=(records.candidate(name),), candidates_count=1
    )


def story(number: int, place: str) -> list[Record]:
    it = intent(number, place)
    return [it, records.outcome(it)]


def kept(folder: Path) -> list[Record]:
    return [found.record for found in open_log(folder).records()]


def test_the_fleet_has_both_places() -> None:
    assert {EU, US} <= PLACES


@pytest.mark.parametrize("is_encoded", [False, True])
def test_records_stay_where_they_ran_and_acts_in_the_gateway_s_own(
    tmp_path: Path, is_encoded: bool
) -> None:
    eu, us = story(1, EU), story(2, US)
    refusal, act = records.refusal(3), records.mandate_set()
    lost = records.outcome(intent(4, EU), endpoint="")
    begun = intent(4, EU)
    mixed = [eu[0], us[0], act, begun, refusal, us[1], lost, eu[1]]

    def use(log: Places) -> None:
        if is_encoded:
            log.record_encoded([encode(one) for one in mixed])
        else:
            for one in mixed:
                log.record(one)

    assert with_logs(section(tmp_path), use) == 0
    assert kept(tmp_path / EU) == [eu[0], begun, lost, eu[1]]
    assert kept(tmp_path / US) == us
    assert kept(tmp_path / "own") == [act, refusal]
    reads = [files_in(tmp_path / name) for name in ("own", EU, US)]
    assert all(check_log(read).is_sound for read in reads)
    assert judge_together(reads, [0, 0, 0]).problems == ()


def test_without_jurisdictions_there_is_one_log(tmp_path: Path) -> None:
    found = LedgerSection(folder=str(tmp_path / "own"))
    kinds: list[type] = []
    with_logs(found, lambda log: kinds.append(type(log)))
    assert kinds == [Recorder]


def test_a_folder_in_use_closes_the_others_again(tmp_path: Path) -> None:
    (tmp_path / US).write_text("a file")
    with pytest.raises(LedgerError):
        with_logs(section(tmp_path), lambda log: None)
    (tmp_path / US).unlink()
    assert with_logs(section(tmp_path), lambda log: None) == 0


def test_an_origin_that_is_not_the_keys_is_refused_and_one_without_keys_is_taken(
    tmp_path: Path,
) -> None:
    key = tmp_path / "log.key"
    key.write_text(signers.LOG.private_text())
    place = JurisdictionLogSection(folder=str(tmp_path / EU), origin="x", keys=(str(key),))
    found = LedgerSection(folder=str(tmp_path / "own"), jurisdictions={EU: place})
    with pytest.raises(LedgerError, match="its keys are of"):
        with_logs(found, lambda log: None)
    place = JurisdictionLogSection(folder=str(tmp_path / EU), origin="gw/eu")
    with_logs(LedgerSection(folder=str(tmp_path / "own"), jurisdictions={EU: place}), lambda log: 0)
    assert open_log(tmp_path / EU).checkpoint.origin == "gw/eu"


def test_a_flipped_byte_in_any_of_the_logs_is_found(tmp_path: Path) -> None:
    chance = random.Random(seed := random.randrange(1 << 32))
    print("seed", seed)
    (tmp_path / "k").write_text(signers.LOG.private_text())
    places = {
        name: JurisdictionLogSection(folder=str(tmp_path / name), keys=(str(tmp_path / "k"),))
        for name in (EU, US)
    }
    found = LedgerSection(
        folder=str(tmp_path / "own"), jurisdictions=places, keys=(str(tmp_path / "k"),)
    )
    mixed = [one for number in range(140) for one in story(number, (EU, US)[number % 2])]
    acts = records.acts()[:-1]
    with_logs(found, lambda log: log.record_encoded([encode(one) for one in (*acts, *mixed)]))
    trust = trust_of([signers.LOG.key], [], 0)
    for name in ("own", EU, US):
        for path in sorted((tmp_path / name).rglob("*")):
            if not path.is_file() or path.name == "lock":
                continue
            good = path.read_bytes()
            bad = bytearray(good)
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
            path.write_bytes(bytes(bad))
            try:
                report = check_log(files_in(tmp_path / name), trust)
                assert report.problems or audit_folder(tmp_path / name)[0], path
            except ValueError:
                assert path.name == "checkpoint"
            path.write_bytes(good)


def test_a_killed_gateway_closes_in_each_log_what_was_open_there(tmp_path: Path) -> None:
    found = section(tmp_path)
    child = os.fork()
    if not child:

        def use(log: Places) -> None:
            for number, place in enumerate((EU, US, EU)):
                log.record(story(number, place)[0])
            while log.acked < 3:
                pass
            os.kill(os.getpid(), signal.SIGKILL)

        with_logs(found, use)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    with_logs(found, lambda log: log.settle_lost(records.T0 + 9))
    for place, count in ((EU, 2), (US, 1)):
        ends = [one for one in kept(tmp_path / place) if isinstance(one, Outcome)]
        assert len(ends) == count and all(one.outcome == "failed" for one in ends)
        assert check_log(files_in(tmp_path / place)).is_sound


def test_a_commitment_goes_where_the_request_ran(tmp_path: Path) -> None:
    of = {
        place: records.commitment(intent(0, place), endpoint=endpoint_in(place)) for place in PLACES
    }
    lost = records.commitment(records.intent(5), endpoint="gone")

    def use(log: Places) -> None:
        log.record(of[EU])
        log.record_encoded([encode(of[US]), encode(lost)])

    assert with_logs(section(tmp_path), use) == 0
    assert kept(tmp_path / EU) == [of[EU]] and kept(tmp_path / US) == [of[US]]
    assert kept(tmp_path / "own") == [lost]
