"""Is the demo's fleet file fit to come into force, with the fleet and promises it tells of?"""

from pathlib import Path

from flyball.cli.demo_fleet import API_KEY, MODEL, PROMISES, REPLICAS, fleet_file
from flyball.serve.config.load import read

URLS = {replica.name: f"http://127.0.0.1:{8100 + i}" for i, replica in enumerate(REPLICAS)}


def _config(tmp_path: Path):
    text = fleet_file(URLS, 8080, tmp_path / "ledger")
    return read(text, "fleet.yaml", {}, tmp_path)


def test_it_comes_into_force_without_a_warning(tmp_path: Path) -> None:
    assert _config(tmp_path).warnings == ()


def test_each_replica_stands_where_it_says(tmp_path: Path) -> None:
    fleet = _config(tmp_path).fleet
    assert {e.name: e.url for e in fleet.endpoints} == URLS
    for replica in REPLICAS:
        (endpoint,) = (e for e in fleet.endpoints if e.name == replica.name)
        pool = fleet.pool(endpoint.pool)
        (site,) = (s for s in fleet.sites if s.name == pool.site)
        assert pool.name == replica.pool
        assert pool.profile.name == replica.profile
        assert site.rtt_s == replica.rtt_ms / 1e3
    assert len({site.jurisdiction for site in fleet.sites}) == 2


def test_the_client_counts_in_time_by_the_gateways_promises(tmp_path: Path) -> None:
    policy = _config(tmp_path).policy
    for one in policy.classes:
        assert PROMISES[one.name] == one.promise
    assert PROMISES["all"] == policy.classes[0].promise  # what names no class is the default's


def test_the_key_opens_the_gateway(tmp_path: Path) -> None:
    from hashlib import sha256

    (principal,) = _config(tmp_path).policy.principals
    assert principal.key_sha256 == sha256(API_KEY.encode()).hexdigest()
    assert {model for pool in _config(tmp_path).fleet.pools for model in pool.models} == {MODEL}
