"""May an endpoint still be used after this answer, or this failure? (The circuit of one endpoint.)

Closed → open after `circuit_failures_max` failures in a row, for `circuit_open_s`, doubling up to
`circuit_open_s_max`; then one trial is let through (half open): its success closes the circuit and
starts a slow start, its failure opens it again. A "busy" status with Retry-After blocks for exactly
that long and does not count as broken.
"""

from flyball.governor.commands import Command
from flyball.governor.endpoint import EndpointState
from flyball.governor.state import State
from flyball.units import Seconds

BUSY_S = 0.5


def failed(
    state: State,
    at: Seconds,
    endpoint: EndpointState,
    busy: bool,
    retry_after_s: Seconds,
    cause: str,
    out: list[Command],
) -> None:
    """Count one failure; open the circuit when there were too many."""
    limits = state.policy.resilience
    if busy:
        until = at + min(retry_after_s or BUSY_S, limits.circuit_open_s_max)
        endpoint.circuit_until = max(endpoint.circuit_until, until)
        state.health_changed(at, endpoint.index, "busy: asked to wait", out)
        return
    endpoint.failures += 1
    on_trial = endpoint.circuit_open_s > 0.0
    endpoint.allow_probe = False
    if on_trial or endpoint.failures >= limits.circuit_failures_max:
        doubled = 2.0 * endpoint.circuit_open_s or limits.circuit_open_s
        endpoint.circuit_open_s = min(doubled, limits.circuit_open_s_max)
        endpoint.circuit_until = at + endpoint.circuit_open_s
        endpoint.failures = 0
        # A restarted engine has an empty cache: what the index believes of it is void.
        state.prefix_index.forget(endpoint.index)
        state.health_changed(at, endpoint.index, f"circuit opened: {cause}", out)


def succeeded(state: State, at: Seconds, endpoint: EndpointState, out: list[Command]) -> None:
    """An answer came: close a half-open circuit and warm up slowly."""
    endpoint.failures = 0
    if endpoint.circuit_open_s > 0.0:
        endpoint.circuit_open_s = 0.0
        endpoint.allow_probe = False
        endpoint.circuit_until = at
        endpoint.slow_start_until = at + state.policy.resilience.slow_start_s
        state.health_changed(at, endpoint.index, "circuit closed: a trial succeeded", out)


def begin_trial(state: State, at: Seconds, endpoint: EndpointState, out: list[Command]) -> None:
    """The one request of a half-open circuit is on its way: nothing else until it is answered."""
    endpoint.allow_probe = False
    endpoint.circuit_until = at + max(endpoint.circuit_open_s, BUSY_S)
    state.health_changed(at, endpoint.index, "trial under way", out)
