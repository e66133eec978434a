"""How much time and memory may one connection, one body and the whole gateway take?"""

from msgspec import Struct

from flyball.units import Bytes, Seconds

KIB = 1024
MIB = 1024 * KIB


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of the data plane; every one is enforced, none means "no bound".

    Client side: `head_bytes_max` (431), `body_bytes_max` (413), `buffered_bytes_max` = bytes of
    requests held at once over all connections (503), `pipelined_bytes_max` = bytes read ahead of an
    answer,
    `head_s_max` and `body_s_max` from the first byte of that part (408), `idle_s_max` between
    requests, `write_s_max` for a client that reads nothing of an answer.

    Engine side: `upstream_connections_max` per endpoint, `upstream_idle_s_max` (below the 5 s after
    which uvicorn closes an idle connection, so that a reused one is rarely stale),
    `connect_s_max` with TLS, `stall_s_max` between two bytes of an answer that has begun.
    Before its first byte an answer is bounded by the deadline that the core sets.
    """

    head_bytes_max: Bytes = 32 * KIB
    body_bytes_max: Bytes = 10 * MIB
    buffered_bytes_max: Bytes = 1024 * MIB
    pipelined_bytes_max: Bytes = 64 * KIB
    head_s_max: Seconds = 10.0
    body_s_max: Seconds = 60.0
    idle_s_max: Seconds = 75.0
    write_s_max: Seconds = 60.0
    linger_s_max: Seconds = 2.0
    connections_max: int = 10_000
    upstream_connections_max: int = 4096
    upstream_idle_s_max: Seconds = 4.0
    upstream_head_bytes_max: Bytes = 64 * KIB
    error_body_bytes_max: Bytes = 64 * KIB
    connect_s_max: Seconds = 5.0
    stall_s_max: Seconds = 60.0
    drain_s_max: Seconds = 30.0
