"""What does the gateway tell of itself over HTTP? (Bodies only; paths stand in `routes`.)

Each function turns state into the bytes of one page; nothing here waits or changes anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from flyball.diagnosis.codes.code import LEVELS
from flyball.diagnosis.codes.codes import level_of
from flyball.governor.commands import Diagnosed
from flyball.governor.objectives import Contract
from flyball.model.fleet import Fleet
from flyball.model.prices import PriceBoard
from flyball.model.signals import EngineSample, PeerLoad, Quality
from flyball.units import Seconds

JSON = "application/json"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
METRICS = "/metrics"
PRICES = "/v1/flyball/prices"
FLEET = "/v1/flyball/fleet"
LOOPS = "/v1/flyball/loops"
FINDINGS = "/v1/flyball/findings"


class Reading(Struct, frozen=True, kw_only=True):
    """The last good sample of an endpoint, when it came, and the error since (if any)."""

    sample: EngineSample | None = None
    at: Seconds = 0.0
    error: str = ""


class Condition(Struct, frozen=True, kw_only=True):
    """What readiness depends on. `ledger` "" = it records; else why not."""

    draining: bool = False
    ledger: str = ""
    is_ledger_needed: bool = True


def readiness(condition: Condition) -> tuple[int, bytes]:
    """200 while requests would be admitted, 503 with the reason otherwise."""
    reason = ""
    if condition.draining:
        reason = "draining: this gateway is shutting down"
    elif condition.ledger and condition.is_ledger_needed:
        reason = f"ledger: {condition.ledger}"
    body = {"ready": not reason, "reason": reason}
    return (503 if reason else 200), msgspec.json.encode(body)


def quality(reading: Reading, is_scraped: bool, at: Seconds, age_s_max: Seconds) -> Quality:
    """Whether a reading may be believed at `at`; "absent" = this endpoint is not scraped."""
    if not is_scraped:
        return "absent"
    is_fresh = reading.sample is not None and at - reading.at <= age_s_max
    return "fresh" if is_fresh else "stale"


def prices_page(
    board: PriceBoard, at: Seconds, mode: str, contracts: Sequence[Contract] = ()
) -> bytes:
    """The board with its age and whether it may still be acted on, and each class's contract."""
    page = {
        "mode": mode,
        "at": at,
        "age_s": board.age_s(at) if board.version else None,
        "valid": board.is_valid(at),
        "board": msgspec.to_builtins(board),
        "objectives": [_contract(one) for one in contracts],
    }
    return msgspec.json.encode(page)


def findings_page(seen: Diagnosed | None, at: Seconds, mode: str) -> bytes:
    """What diagnosis saw last, and how long ago; the gravest finding first. `age_s` None = it has
    not looked yet, or never does (mode off)."""
    found = seen.findings if seen else ()
    graver = sorted(found, key=lambda one: (-LEVELS.index(level_of(one)), one.code, one.loops))
    page = {
        "mode": mode,
        "at": at,
        "age_s": max(0.0, at - seen.at) if seen else None,
        "findings": [{"level": level_of(one), **msgspec.to_builtins(one)} for one in graver],
        "margins": [
            {"of": name, **msgspec.to_builtins(one)} for name, one in (seen.margins if seen else ())
        ],
        "missing": seen.missing if seen else (),
        "held": dict(seen.held) if seen else {},
    }
    return msgspec.json.encode(page)


def _contract(one: Contract) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(one)
    return {"class": fields.pop("name"), **fields, "burn": dict(one.burn)}


def fleet_page(
    fleet: Fleet,
    readings: Mapping[int, Reading],
    loads: Sequence[PeerLoad],
    at: Seconds,
    age_s_max: Seconds,
) -> bytes:
    """Every endpoint with its last reading, marked fresh, stale or absent, and our own work there.

    `loads` = work in flight of all workers together, non-zero endpoints only.
    """
    in_flight = {load.endpoint: load for load in loads}
    sites = {pool.name: pool.site for pool in fleet.pools}
    endpoints = [
        {
            "name": endpoint.name,
            "pool": endpoint.pool,
            "site": sites[endpoint.pool],
            "url": endpoint.url,
            **_live(readings.get(number, Reading()), bool(endpoint.metrics_url), at, age_s_max),
            "in_flight": _own_work(in_flight.get(number)),
        }
        for number, endpoint in enumerate(fleet.endpoints)
    ]
    return msgspec.json.encode({"at": at, "endpoints": endpoints})


def _live(reading: Reading, is_scraped: bool, at: Seconds, age_s_max: Seconds) -> dict[str, Any]:
    return {
        "signal": quality(reading, is_scraped, at, age_s_max),
        "signal_age_s": max(0.0, at - reading.at) if reading.sample else None,
        "sample": msgspec.to_builtins(reading.sample),
        "error": reading.error,
    }


def _own_work(load: PeerLoad | None) -> dict[str, float]:
    if load is None:
        return {"running": 0, "pending": 0, "pending_prefill_tokens": 0.0, "kv_tokens": 0.0}
    return {
        "running": load.running,
        "pending": load.pending,
        "pending_prefill_tokens": load.pending_prefill_tokens,
        "kv_tokens": load.kv_tokens,
    }
