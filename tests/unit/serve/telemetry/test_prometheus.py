"""Do the metrics say what happened, bounded, and follow a change of the fleet?"""

from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from flyball.governor.commands import Notice
from flyball.model.decision import ConfigSet, LoopAction, PricesSet
from flyball.model.prices import PoolPrice, PriceBoard
from flyball.model.signals import EngineSample, PeerLoad
from flyball.serve.telemetry.prometheus import Telemetry
from support import records
from support.configs import config
from support.watched import Watched, looks

DONE = records.settled(class_name="talk", value_usd=0.02, cost_usd=0.001)
REFUSED = msgspec.structs.replace(DONE, outcome="refused", code="queue_full", endpoint=-1)


class Clock:
    at = 100.0

    def now(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry(clock: Clock) -> Telemetry:
    return Telemetry(config(), clock.now, env={})


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(telemetry.render().decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def test_a_served_request_is_counted(telemetry: Telemetry) -> None:
    telemetry.settled((DONE, DONE))

    def found(name: str, **labels: str) -> Any:
        return value(telemetry, name, **labels)

    ended = {"class": "talk", "model": "m", "pool": "small", "outcome": "served"}
    assert found("flyball_requests_total", **ended) == 2
    assert found("flyball_decisions_total", outcome="admitted", reason="none") == 2
    assert found("flyball_tokens_total", pool="small", kind="cached") == 80
    assert found("flyball_value_usd_total", **{"class": "talk"}) == pytest.approx(0.04)
    place = {"class": "talk", "pool": "small"}
    assert found("flyball_cost_usd_total", **place) == pytest.approx(0.002)
    assert found("flyball_ttft_seconds_sum", **place) == pytest.approx(0.4)
    assert found("flyball_tpot_seconds_bucket", le="0.05", **place) == 2
    assert found("flyball_tpot_seconds_bucket", le="0.04", **place) == 0
    assert found("flyball_request_duration_seconds_count", **place) == 2
    assert found("flyball_ttft_predicted_seconds_total", pool="small") == pytest.approx(0.5)


def test_a_refused_request_is_counted_by_its_code_and_has_no_latency(telemetry: Telemetry) -> None:
    telemetry.settled((REFUSED,))
    assert value(telemetry, "flyball_decisions_total", outcome="refused", reason="queue_full") == 1
    labels = {"class": "talk", "model": "m", "pool": "none", "outcome": "refused"}
    assert value(telemetry, "flyball_requests_total", **labels) == 1
    place = {"class": "talk", "pool": "none"}
    assert value(telemetry, "flyball_request_duration_seconds_count", **place) == 0


def test_retries_and_waits_are_counted(telemetry: Telemetry) -> None:
    again = msgspec.structs.replace(DONE, is_retry=True, attempts=3, held_s=0.3, in_time=False)
    telemetry.settled((again,))
    assert value(telemetry, "flyball_client_retries_total", **{"class": "talk"}) == 1
    assert value(telemetry, "flyball_upstream_retries_total", pool="small") == 2
    assert value(telemetry, "flyball_held_seconds_sum", **{"class": "talk"}) == pytest.approx(0.3)
    assert value(telemetry, "flyball_requests_in_time_total", **{"class": "talk"}) == 0


def test_what_was_granted_is_counted(telemetry: Telemetry) -> None:
    cut = msgspec.structs.replace(DONE, tokens_cut=700)
    copied = msgspec.structs.replace(DONE, copy="won", served_model="small")
    telemetry.settled((DONE, cut, cut, copied))
    klass = {"class": "talk"}
    assert value(telemetry, "flyball_context_tokens_cut_total", **klass) == 1400
    assert value(telemetry, "flyball_copies_total", **klass, result="won") == 1
    assert value(telemetry, "flyball_demotions_total", **klass, model="small") == 1


def test_sessions_and_their_steps_are_counted(telemetry: Telemetry) -> None:
    first = msgspec.structs.replace(DONE, session_step=1)
    later = msgspec.structs.replace(DONE, session_step=2, is_spared=True)
    telemetry.settled((DONE, first, later, later))
    klass = {"class": "talk"}
    assert value(telemetry, "flyball_sessions_begun_total", **klass) == 1
    assert value(telemetry, "flyball_session_steps_total", **klass) == 3
    assert value(telemetry, "flyball_session_steps_spared_total", **klass) == 2


def test_a_flood_of_model_names_is_bounded(telemetry: Telemetry) -> None:
    flood = [msgspec.structs.replace(REFUSED, model=f"x{i}") for i in range(1500)]
    telemetry.settled((*flood, REFUSED))
    page = telemetry.render().decode()
    assert page.count("flyball_requests_total{") == 1002
    assert 'model="other"' in page
    assert 'model="m"' in page


def test_prices_are_shown_with_their_age(telemetry: Telemetry, clock: Clock) -> None:
    price = PoolPrice(pool="big", usd_per_gpu_second=0.002, usd_per_joule=3e-8, load=0.7)
    board = PriceBoard(
        version=4, made_at=97.0, valid_until=130.0, pools=(price,), gap=1e-5, budgets=(("b", 0.1),)
    )
    assert value(telemetry, "flyball_board_age_seconds") is None
    telemetry.published(board)
    clock.at = 105.0
    assert value(telemetry, "flyball_board_age_seconds") == pytest.approx(8.0)
    assert value(telemetry, "flyball_price_usd_per_gpu_second", pool="big") == 0.002
    assert value(telemetry, "flyball_pool_load_ratio", pool="big") == 0.7
    assert value(telemetry, "flyball_price_usd_per_budget_usd", budget="b") == 0.1
    assert value(telemetry, "flyball_board_version") == 4


def test_samples_age_and_draw_power(telemetry: Telemetry, clock: Clock) -> None:
    watts = config().fleet.pool("small").profile.power.watts(8)
    telemetry.sampled(0, EngineSample(running=8, waiting=2, kv_usage=0.25), 100.0)
    telemetry.sampled(0, None, 100.5)
    telemetry.sampled(0, EngineSample(running=0), 101.0)
    telemetry.sampled(0, EngineSample(running=0), 500.0)
    telemetry.sampled(7, EngineSample(running=1), 101.0)
    clock.at = 503.0
    place = {"endpoint": "small-0", "pool": "small"}
    assert value(telemetry, "flyball_endpoint_waiting", **place) == 2
    assert value(telemetry, "flyball_endpoint_running", **place) == 0
    assert value(telemetry, "flyball_endpoint_kv_usage_ratio", **place) == 0.25
    assert value(telemetry, "flyball_scrape_failures_total", endpoint="small-0") == 1
    assert value(telemetry, "flyball_signal_age_seconds", source="small-0") == pytest.approx(3.0)
    assert value(telemetry, "flyball_energy_joules_total", pool="small") == pytest.approx(watts)
    idle = config().fleet.pool("small").profile.power.watts(0)
    assert value(telemetry, "flyball_power_watts", pool="small") == pytest.approx(idle)


def test_an_endpoint_that_is_never_read_grows_old(telemetry: Telemetry, clock: Clock) -> None:
    clock.at = 130.0
    assert value(telemetry, "flyball_signal_age_seconds", source="small-0") == pytest.approx(30.0)
    assert value(telemetry, "flyball_signal_age_seconds", source="big-0") is None
    assert value(telemetry, "flyball_ledger_available") == 1


def test_work_in_flight_circuits_and_the_rest(telemetry: Telemetry) -> None:
    load = PeerLoad(endpoint=1, running=2, pending=1, pending_prefill_tokens=0.0, kv_tokens=0.0)
    telemetry.in_flight([load])
    telemetry.circuit(1, "open")
    telemetry.notice(Notice("warning", "odd", "text"))
    telemetry.ledger(False)
    telemetry.sealed(77)
    telemetry.pause([0.0004, 0.003], worker=2)
    telemetry.worker_lag(2, 0.011)
    telemetry.decided([2e-5])
    big = {"endpoint": "big-0", "pool": "big"}
    assert value(telemetry, "flyball_endpoint_in_flight", **big) == 3
    assert value(telemetry, "flyball_endpoint_in_flight", endpoint="small-0", pool="small") == 0
    assert value(telemetry, "flyball_endpoint_circuit_state", endpoint="big-0") == 2
    assert value(telemetry, "flyball_notices_total", level="warning", code="odd") == 1
    assert value(telemetry, "flyball_ledger_available") == 0
    assert value(telemetry, "flyball_records_sealed_total") == 77
    assert value(telemetry, "flyball_pause_seconds_bucket", worker="2", le="0.002") == 1
    assert value(telemetry, "flyball_worker_view_lag_seconds", worker="2") == 0.011
    assert value(telemetry, "flyball_decision_duration_seconds_count") == 1


def test_records_of_the_control_period_are_counted(telemetry: Telemetry) -> None:
    plan = PricesSet(
        id="p", at=1.0, version=2, published=False, gap=0.1, solve_s=0.004, reason="gap", prices=()
    )
    action = LoopAction(
        id="l",
        at=1.0,
        loop="drain",
        actuator="weight",
        scope="e",
        old="1",
        new="0",
        reason="r",
        mode="enforce",
    )
    change = ConfigSet(id="c", at=1.0, digest="d", in_force=False, reason="bad")
    for record in (plan, action, change):
        telemetry.recorded(record)
    assert value(telemetry, "flyball_plans_total", result="refused") == 1
    assert value(telemetry, "flyball_period_duration_seconds_count") == 1
    assert value(telemetry, "flyball_loop_actions_total", loop="drain", actuator="weight") == 1
    assert value(telemetry, "flyball_config_changes_total", result="refused") == 1


def test_requests_turned_away_are_counted_one_by_one(telemetry: Telemetry) -> None:
    telemetry.recorded(records.turned_away(count=7))
    telemetry.recorded(records.turned_away(count=2, code="bad_http"))
    name = "flyball_decisions_total"
    assert value(telemetry, name, outcome="refused", reason="bad_json") == 7
    assert value(telemetry, name, outcome="refused", reason="bad_http") == 2
    nobody = {"class": "none", "model": "none", "pool": "none", "outcome": "refused"}
    assert value(telemetry, "flyball_requests_total", **nobody) == 9


def test_another_fleet_takes_the_old_one_s_gauges_away(telemetry: Telemetry) -> None:
    telemetry.settled((DONE,))
    telemetry.sampled(0, EngineSample(running=1), 100.0)
    telemetry.adopt(config(("  small:", "  renamed:")))
    telemetry.settled((DONE,))
    page = telemetry.render().decode()
    assert 'flyball_endpoint_running{endpoint="small-0"' not in page
    labels = {"class": "talk", "model": "m", "outcome": "served"}
    assert value(telemetry, "flyball_requests_total", pool="small", **labels) == 1
    assert value(telemetry, "flyball_requests_total", pool="renamed", **labels) == 1


def test_without_a_collector_nothing_is_traced(telemetry: Telemetry) -> None:
    assert telemetry.is_tracing is False
    telemetry.close()


def test_findings_stand_and_go_and_margins_that_are_not_known_are_no_number(
    telemetry: Telemetry,
) -> None:
    play = Watched()
    play.rates = {"chat": 5000.0}
    seen = looks(play.ticks(100))[-1]
    telemetry.diagnosed(seen)
    labels = {"code": "FB-509", "level": "error", "loop": "retry"}
    assert value(telemetry, "flyball_finding", **labels) == 1.0
    ((of, margin),) = seen.margins
    shown = {"of": of, "what": margin.what}
    assert value(telemetry, "flyball_margin", **shown) == pytest.approx(margin.value)
    telemetry.diagnosed(msgspec.structs.replace(seen, findings=(), margins=()))
    assert value(telemetry, "flyball_finding", **labels) == 0.0
    gone = value(telemetry, "flyball_margin", **shown)
    assert gone is not None and gone != gone
