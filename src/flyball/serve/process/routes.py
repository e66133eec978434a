"""What is answered by the gateway itself, and at which path?

`/healthz` (the process lives), `/readyz` (it would admit a request), `/metrics`, `/v1/models`, and
`/v1/flyball/prices`, `/v1/flyball/fleet`, `/v1/flyball/findings` and `/v1/flyball/loops`. The last
four and the metrics are known to the process that holds the `Center`; a worker asks it for them.
What follows a `?` after the loops' path is an operator's act, as JSON, that the asking process has
allowed.
"""

from collections.abc import Sequence

import msgspec

from flyball.model.signals import PeerLoad
from flyball.serve.process.center import Center
from flyball.serve.process.operator import Act
from flyball.serve.process.pages import (
    FINDINGS,
    FLEET,
    JSON,
    LOOPS,
    METRICS,
    PRICES,
    PROMETHEUS,
    findings_page,
    fleet_page,
    prices_page,
)


def page(path: str, center: Center, loads: Sequence[PeerLoad]) -> tuple[int, str, bytes]:
    """Status, content type and body of one page; `loads` = work in flight of all workers."""
    at = center.now()
    if path == METRICS:
        return 200, PROMETHEUS, center.telemetry.render()
    if path == PRICES:
        contracts = center.objectives.read(at)
        return 200, JSON, prices_page(center.board, at, center.config.policy.mode, contracts)
    if path == FLEET:
        age_s_max = center.config.policy.pricing.view_age_s_max
        fleet = center.config.fleet
        return 200, JSON, fleet_page(fleet, center.readings, loads, at, age_s_max)
    if path == FINDINGS:
        mode = center.config.policy.diagnosis.mode
        return 200, JSON, findings_page(center.seen, at, mode)
    if path == LOOPS:
        return 200, JSON, msgspec.json.encode(center.steering.page(at))
    if path.startswith(f"{LOOPS}?"):
        status, answer = center.steering.act(msgspec.json.decode(path[len(LOOPS) + 1 :], type=Act))
        return status, JSON, msgspec.json.encode(answer)
    return 404, JSON, b'{"error":"there is no such page"}'
