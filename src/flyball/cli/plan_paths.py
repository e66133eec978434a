"""How long is the round trip from an origin to a site, and where does that figure come from?

In this order: what the plan file says itself, a measured matrix of regions, an estimate from the
distance. The estimate is 1.72 times light in fibre, the median of 2,350 pairs of Azure regions (it
ranges from 1.17 to 8.7, so single pairs can be far off).
"""

import csv
import math
from pathlib import Path

from flyball.cli.plan_shape import OriginShape, SiteShape
from flyball.serve.config.errors import did_you_mean
from flyball.serve.config.text import Document
from flyball.sim.network import rtt_s_min
from flyball.units import Seconds, seconds_from_ms

EARTH_KM = 6371.0
DETOUR = 1.72
SAME_REGION_S = 1e-3
"""Between zones of one region: 0.77 ms in the median, 2.2 ms at most (IBM Cloud)."""
ROWS_MAX = 100_000

Matrix = dict[tuple[str, str], Seconds]


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great circle between two places in degrees (haversine)."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2.0 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def matrix(named: str, folder: Path, document: Document) -> Matrix:
    """Round trips by (source, destination) from a CSV file; faults are noted at `rtts`."""
    found: Matrix = {}
    if not named:
        return found
    try:
        with (folder / named).open(newline="", encoding="utf-8") as stream:
            for number, row in enumerate(csv.DictReader(stream), 2):
                if number > ROWS_MAX:
                    raise ValueError(f"more than {ROWS_MAX} rows")
                try:
                    rtt_ms = float(row["rtt_ms"])
                    if not 0.0 <= rtt_ms < math.inf:
                        raise ValueError
                    found[row["src"], row["dst"]] = seconds_from_ms(rtt_ms)
                except (KeyError, TypeError, ValueError):
                    raise ValueError(f"line {number} is no src,dst,rtt_ms") from None
    except OSError as error:
        document.fault(("rtts",), f"cannot read {named}: {error.strerror or error}", "Name a CSV.")
    except ValueError as error:
        document.fault(("rtts",), f"{named}: {error}", "Columns: src, dst, rtt_ms.")
    return found


def check_regions(found: Matrix, key: str, name: str, region: str, document: Document) -> None:
    """Note a region that the matrix does not know."""
    known = {src for src, _ in found}
    if region and found and region not in known:
        step = f"{did_you_mean(region, known)}See the column src of the file `rtts`."
        document.fault((key, name, "region"), f"no region {region!r}", step)


def rtt_s(
    origin: tuple[str, OriginShape], site: tuple[str, SiteShape], found: Matrix
) -> tuple[Seconds, str] | None:
    """The round trip and its source ("given", "measured", "estimated"); None if nothing tells."""
    name, start = origin
    end = site[1]
    access_s = seconds_from_ms(start.access_ms)
    if name in end.rtt_ms:
        return seconds_from_ms(end.rtt_ms[name]) + access_s, "given"
    if start.region and end.region:
        if start.region == end.region:
            return SAME_REGION_S + access_s, "estimated"
        pair = (start.region, end.region)
        path = found.get(pair, found.get((end.region, start.region)))
        if path is not None:
            return path + access_s, "measured"
    if start.at is not None and end.at is not None:
        return DETOUR * rtt_s_min(distance_km(start.at, end.at)) + access_s, "estimated"
    return None
