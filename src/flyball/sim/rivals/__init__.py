"""Which rivals are there? Each by its own published rule, with its own default constants.

`ROUTERS[name](setting, tuned)` for a `RivalCore`; `AUTOSCALERS[name](fleet, tuned)` as
`sim.loops.Autoscaler`; the other tables `[name](tuned)`. Constants, sources and what is uncertain
stand in `data/rivals.json` (`docs/reference/rivals.md`).
"""

from collections.abc import Callable, Mapping

from flyball.model.fleet import Fleet
from flyball.sim.loops import Autoscaler
from flyball.sim.rivals.aibrix_prefix import AibrixPrefix
from flyball.sim.rivals.budgeted import Budgeted
from flyball.sim.rivals.core import RivalCore
from flyball.sim.rivals.dynamo_kv import DynamoKv
from flyball.sim.rivals.dynamo_load import DynamoLoad
from flyball.sim.rivals.dynamo_planner import DynamoPlanner
from flyball.sim.rivals.epp_default import EppDefault
from flyball.sim.rivals.epp_flow import EppFlow
from flyball.sim.rivals.epp_predicted import EppPredicted
from flyball.sim.rivals.hpa import Hpa
from flyball.sim.rivals.hpa_on_epp import HpaOnEpp
from flyball.sim.rivals.keda import Keda
from flyball.sim.rivals.kpa import Kpa
from flyball.sim.rivals.least_request import LeastRequest
from flyball.sim.rivals.litellm_latency import LitellmLatency
from flyball.sim.rivals.p2c_ewma import P2cEwma
from flyball.sim.rivals.polca import Polca
from flyball.sim.rivals.pool_split import PoolSplit
from flyball.sim.rivals.power import PowerLoop
from flyball.sim.rivals.ray_serve import RayServe
from flyball.sim.rivals.retry import Retry
from flyball.sim.rivals.round_robin import RoundRobin
from flyball.sim.rivals.router import Router, Setting
from flyball.sim.rivals.sdk_default import SdkDefault
from flyball.sim.rivals.smg_cache_aware import SmgCacheAware
from flyball.sim.rivals.static_cap import StaticCap
from flyball.sim.rivals.threshold_truncation import ThresholdTruncation
from flyball.sim.rivals.wva_v1 import WvaV1
from flyball.sim.rivals.wva_v2 import WvaV2

Tuned = Mapping[str, float] | None

ROUTERS: dict[str, Callable[[Setting, Tuned], Router]] = {
    one.name: one
    for one in (
        RoundRobin,
        LeastRequest,
        P2cEwma,
        EppDefault,
        PoolSplit,
        EppFlow,
        EppPredicted,
        DynamoKv,
        SmgCacheAware,
        AibrixPrefix,
        LitellmLatency,
    )
}
AUTOSCALERS: dict[str, Callable[[Fleet, Tuned], Autoscaler]] = {
    one.name: one
    for one in (
        Hpa,
        HpaOnEpp,
        Keda,
        WvaV1,
        WvaV2,
        DynamoPlanner,
        DynamoLoad,
        Kpa,
        RayServe,
    )
}
POWER_LOOPS: dict[str, Callable[[Tuned], PowerLoop]] = {one.name: one for one in (StaticCap, Polca)}
TRUNCATIONS: dict[str, Callable[[Tuned], ThresholdTruncation]] = {
    ThresholdTruncation.name: ThresholdTruncation
}
RETRIES: dict[str, Callable[[Tuned], Retry]] = {one.name: one for one in (SdkDefault, Budgeted)}

__all__ = [
    "AUTOSCALERS",
    "POWER_LOOPS",
    "RETRIES",
    "ROUTERS",
    "TRUNCATIONS",
    "RivalCore",
    "Setting",
]
