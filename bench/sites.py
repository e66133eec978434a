"""How are real sites made on one machine: network namespaces, and links that take their time?

Each link is a pair of TUN devices, one here and one in the site's own network namespace; a process
of ours carries every IP packet from one to the other and holds it for half the link's round trip.
So handshakes, retransmissions and answers take the time that they would take over a distance. (The
kernel's own `tc netem` does the same where it is built in.) Needs root and /dev/net/tun.

`python bench/sites.py NAME=RTT_MS ...` prints a line when the links are up and carries packets
until its standard input ends; then the namespaces are gone.
"""

import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_BYTES_MAX = 65_536
BATCH = 64
READY = "links are up"


class Site(Struct, frozen=True):
    """A namespace `name` at `rtt_ms`; it reaches us at `here`, we reach it at `there`."""

    name: str
    rtt_ms: float
    here: str
    there: str

    def inside(self, words: Sequence[object]) -> list[str]:
        """A command line that runs in this site."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]


def plan(rtts_ms: dict[str, float]) -> dict[str, Site]:
    """Names and addresses, out of 198.18.0.0/15 (RFC 2544: for measurements of networks)."""
    return {
        name: Site(f"flyball-{name}", rtt_ms, f"198.18.{number}.1", f"198.18.{number}.2")
        for number, (name, rtt_ms) in enumerate(rtts_ms.items())
    }


def why_not() -> str:
    """Why sites cannot be made here, or ""."""
    if os.geteuid():
        return "network namespaces need root"
    return "" if Path("/dev/net/tun").exists() else "there is no /dev/net/tun"


@contextmanager
def sites(rtts_ms: dict[str, float]) -> Iterator[dict[str, Site]]:
    """Namespaces with links of these round trips; gone at the end. RuntimeError if they fail."""
    words = [f"{name}={rtt_ms}" for name, rtt_ms in rtts_ms.items()]
    carrier = subprocess.Popen(
        [sys.executable, __file__, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert carrier.stdin is not None and carrier.stdout is not None
    try:
        if carrier.stdout.readline().strip() != READY:
            raise RuntimeError("the links did not come up: see above")
        yield plan(rtts_ms)
    finally:
        carrier.stdin.close()
        carrier.wait(10)


class Wire:
    """One direction of a link: packets wait here for half the round trip."""

    def __init__(self, source: int, sink: int, delay_s: float) -> None:
        self.source = source
        self._sink = sink
        self._delay_s = delay_s
        self._under_way: deque[tuple[float, bytes]] = deque()

    def take(self) -> None:
        """Read what has come."""
        for _ in range(BATCH):
            try:
                packet = os.read(self.source, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            self._under_way.append((time.monotonic() + self._delay_s, packet))

    def deliver(self, now: float) -> float:
        """Hand over what is due; when the next one is, or infinity."""
        under_way = self._under_way
        while under_way and under_way[0][0] <= now:
            with suppress(OSError):  # as any network: what cannot be delivered is lost
                os.write(self._sink, under_way.popleft()[1])
        return under_way[0][0] if under_way else float("inf")


def carry(wires: Sequence[Wire]) -> None:
    """Carry packets until standard input ends."""
    by_source = {wire.source: wire for wire in wires}
    watched = [*by_source, sys.stdin.fileno()]
    while True:
        due = min(wire.deliver(time.monotonic()) for wire in wires)
        wait_s = max(0.0, min(1.0, due - time.monotonic()))
        ready, _, _ = select.select(watched, [], [], wait_s)
        for fd in ready:
            if fd not in by_source:
                return
            by_source[fd].take()


def _open_tun(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _link(number: int, site: Site) -> list[Wire]:
    """Make the namespace and both ends of its link."""
    near, far = f"fbq{number}a", f"fbq{number}b"
    ours, theirs = _open_tun(near), _open_tun(far)
    _ip("netns", "add", site.name)
    _ip("link", "set", far, "netns", site.name)
    _ip("addr", "add", site.here, "peer", site.there, "dev", near)
    _ip("link", "set", near, "up")
    _ip("-n", site.name, "addr", "add", site.there, "peer", site.here, "dev", far)
    _ip("-n", site.name, "link", "set", far, "up")
    _ip("-n", site.name, "link", "set", "lo", "up")
    delay_s = site.rtt_ms / 2e3
    return [Wire(ours, theirs, delay_s), Wire(theirs, ours, delay_s)]


def main(words: Sequence[str]) -> int:
    """Make the links named on the command line; 2 where that cannot be done."""
    if reason := why_not():
        print(f"sites: {reason}", file=sys.stderr)
        return 2
    pairs = (word.partition("=") for word in words)
    planned = plan({name: float(rtt_ms) for name, _, rtt_ms in pairs})
    try:
        wires = [w for n, site in enumerate(planned.values()) for w in _link(n, site)]
        if os.sched_getscheduler(0) == os.SCHED_RR:  # a network does not wait for its computers
            before = os.sched_getparam(0).sched_priority
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(before + 2))
        print(READY, flush=True)
        carry(wires)
    except subprocess.CalledProcessError as fault:
        print(f"sites: {' '.join(map(str, fault.cmd))} failed", file=sys.stderr)
        return 2
    finally:
        for site in planned.values():
            subprocess.run(["ip", "netns", "del", site.name], stderr=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
