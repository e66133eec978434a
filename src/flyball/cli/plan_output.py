"""How is a plan told: in plain words and tables, on a terminal or as markdown?"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from flyball.cli.plan_twin import Judged, keeps_promises
from flyball.pricing.placement_prices import Change, MillisecondPrice, Move
from flyball.pricing.placement_report import PlacedFlow, Report
from flyball.units import MS_PER_S, Usd

ROWS_MAX = 40
_RULES = {
    "jurisdiction": "its jurisdictions",
    "ttft": "its first-token promise",
    "tpot": "its time-per-token promise",
    "e2e": "its whole-answer promise",
    "kv": "KV too small for one request",
}
_LITTLE_USD = 0.005


class Section(Struct, frozen=True, kw_only=True):
    """A heading, sentences, and a table (no heads = none)."""

    title: str
    sentences: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def sections(report: Report, judged: Sequence[Judged] = ()) -> list[Section]:
    """The whole report, the answer first."""
    found = [_summary(report)]
    if report.blocked:
        found.append(_blocked(report))
    found += [_pools(report), _flows(report)]
    if report.milliseconds:
        found.append(_milliseconds(report.milliseconds))
    found += [_sites(report), _rules(report), _assets(report)]
    if report.changes:
        found.append(_changes(report.changes))
    if judged:
        found.append(_judged(judged, report))
    return [one for one in found if one.sentences or one.rows]


def text(report: Report, judged: Sequence[Judged] = ()) -> str:
    """For a terminal: columns aligned, numbers to the right."""
    lines: list[str] = []
    for one in sections(report, judged):
        lines += ["", one.title.upper(), *one.sentences]
        if one.heads:
            shown = [one.heads, *one.rows[:ROWS_MAX]]
            widths = [max(len(row[i]) for row in shown) for i in range(len(one.heads))]
            lines += ["  ".join(_cell(c, w) for c, w in zip(r, widths, strict=True)) for r in shown]
            lines += _rest(one)
    return "\n".join(line.rstrip() for line in lines[1:])


def markdown(report: Report, judged: Sequence[Judged] = ()) -> str:
    """For a page: headings, sentences, tables."""
    lines = [f"# Plan {report.name}"]
    for one in sections(report, judged):
        lines += ["", f"## {one.title}", ""]
        lines += [f"- {sentence}" for sentence in one.sentences]
        if one.heads:
            lines += [""] if one.sentences else []
            rows = [one.heads, ("---",) * len(one.heads), *one.rows[:ROWS_MAX]]
            lines += [
                f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in r)} |" for r in rows
            ]
            lines += _rest(one)
    return "\n".join(lines)


def as_json(report: Report, judged: Sequence[Judged] = ()) -> str:
    """For a program: every figure, with what the twin made of it under `twin`."""
    page = {**msgspec.structs.asdict(report), "twin": list(judged)}
    return msgspec.json.format(msgspec.json.encode(page)).decode()


def _rest(one: Section) -> list[str]:
    more = len(one.rows) - ROWS_MAX
    return [f"… and {more} more (all in `-o json`)"] if more > 0 else []


def _cell(cell: str, width: int) -> str:
    is_number = cell[:1].isdigit() or cell[:1] in "-<"
    return cell.rjust(width) if is_number else cell.ljust(width)


def _usd(amount: Usd | None) -> str:
    if amount is None:
        return "?"
    return "0" if amount == 0 else f"{amount:,.2f}" if abs(amount) >= _LITTLE_USD else "<0.01"


def _summary(report: Report) -> Section:
    verdict = "All that must be served is" if report.serves_all else "NOT all can be served"
    accelerators = sum(pool.accelerators for pool in report.pools)
    rented = sum(asset.rented for asset in report.assets)
    gap = f"no placement can make more than {_usd(report.gap_usd_per_hour)} USD/h above that"
    return Section(
        title=f"Plan {report.name}",
        sentences=(
            f"{verdict}: {sum(p.replicas for p in report.pools)} replicas on {accelerators} "
            f"accelerators, {rented} of them rented.",
            f"It costs {_usd(report.rent_usd_per_hour)} USD/h of rent and "
            f"{_usd(report.energy_usd_per_hour)} of energy, and serves a value of "
            f"{_usd(report.value_usd_per_hour)} USD/h; {gap}.",
            f"Promises hold for {report.in_time:.0%} of requests, and with demand "
            f"{report.demand_sds:g} standard deviations above its mean everywhere at once.",
            *(f"Note: {note}." for note in report.notes),
        ),
    )


def _blocked(report: Report) -> Section:
    said: list[str] = []
    for one in report.blocked:
        why = ", ".join(
            f"{_RULES[rule]} ({count})" for rule, count in sorted(one.options_barred.items())
        )
        if one.is_impossible:
            least = "".join(
                f"; the least {rule} that can be kept is {ms:.4g} ms"
                for rule, ms in one.needed_ms.items()
            )
            barred = f"none of {one.options} ways to run it is open: {why}{least}"
        else:
            closed = f", closed: {why}" if why else ""
            barred = f"there is not enough where it may run ({one.options} ways{closed})"
        said.append(f"{one.flow}: {one.unmet_per_s:.4g} requests/s have no place; {barred}.")
    together = any(not one.class_name for one in report.relaxations)
    if not report.relaxations:
        said.append("No single change of a promise, rule or limit helps.")
    elif together:
        said.append("Any one change for `all` serves everything; the cheapest plan stands first.")
    else:
        said.append("No single change serves everything; one for each class does, cheapest first.")
    return Section(
        title="What cannot be served",
        sentences=tuple(said),
        heads=("serves", "change", "plan's cost USD/h") if report.relaxations else (),
        rows=tuple(
            (one.class_name or "all", one.change, _usd(one.cost_usd_per_hour))
            for one in report.relaxations
        ),
    )


def _pools(report: Report) -> Section:
    return Section(
        title="What runs where",
        heads=("site", "profile", "replicas", "accelerators", "load", "peak kW"),
        rows=tuple(
            (
                pool.site,
                pool.profile,
                str(pool.replicas),
                f"{pool.accelerators} {pool.accelerator}",
                f"{pool.load:.0%}",
                f"{pool.kw:.2f}",
            )
            for pool in report.pools
        ),
    )


def _flows(report: Report) -> Section:
    return Section(
        title="Where each class is served, and its price",
        sentences=("Price = what one more request costs at the margin.",),
        heads=(
            "class", "from", "requests/s", "served", "USD per 1,000", "to", "share",
            "ttft ms", "tpot ms", "e2e ms",
        ),
        rows=tuple(row for flow in report.flows for row in _flow_rows(flow)),
    )  # fmt: skip


def _flow_rows(flow: PlacedFlow) -> list[tuple[str, ...]]:
    price = "?" if flow.price_usd is None else f"{1000.0 * flow.price_usd:.4g}"
    served = f"{flow.served_per_s / flow.rate_per_s:.0%}" if flow.rate_per_s else "-"
    head = (flow.class_name, flow.origin, f"{flow.rate_per_s:.4g}", served, price)
    shares = [
        (
            f"{share.site} {share.profile}",
            f"{share.rate_per_s / flow.served_per_s:.0%}",
            f"{share.ttft_ms:.0f}" if share.ttft_ms >= 100 else f"{share.ttft_ms:.1f}",
            f"{share.tpot_ms:.1f}" if share.tpot_ms else "-",
            f"{share.e2e_ms:,.0f}" if share.e2e_ms >= 100 else f"{share.e2e_ms:.1f}",
        )
        for share in sorted(flow.shares, key=lambda share: -share.rate_per_s)
    ]
    if not shares:
        return [(*head, "nowhere", "-", "-", "-", "-")]
    return [((*head, *one) if i == 0 else (*("",) * 5, *one)) for i, one in enumerate(shares)]


def _milliseconds(prices: Sequence[MillisecondPrice]) -> Section:
    binding = [
        one for one in prices if one.saved_usd_per_hour or one.costs_usd_per_hour in (None,)
        or (one.costs_usd_per_hour or 0.0) > 0.0
    ]  # fmt: skip
    slack = [f"{one.class_name} {one.bound}" for one in prices if one not in binding]
    said = (f"Worth nothing either way: {', '.join(slack)}.",) if slack else ()
    return Section(
        title="The price of a millisecond",
        sentences=said,
        heads=("class", "promise", "ms", "one more saves USD/h", "one less costs USD/h")
        if binding
        else (),
        rows=tuple(
            (
                one.class_name,
                one.bound,
                f"{MS_PER_S * one.promised_s:.4g}",
                f"{one.saved_usd_per_hour:.4f}",
                "cannot be kept"
                if one.costs_usd_per_hour is None
                else f"{one.costs_usd_per_hour:.4f}",
            )
            for one in sorted(binding, key=lambda one: -one.saved_usd_per_hour)
        ),
    )


def _sites(report: Report) -> Section:
    return Section(
        title="Power and the price of a megawatt",
        heads=("site", "jurisdiction", "peak kW", "limit kW", "USD per MW and hour"),
        rows=tuple(
            (
                one.site,
                one.jurisdiction,
                f"{one.kw:.2f}",
                "none" if one.kw_max is None else f"{one.kw_max:.2f}",
                _usd(one.usd_per_mw_hour),
            )
            for one in report.sites
        ),
    )


def _rules(report: Report) -> Section:
    rows: list[tuple[str, ...]] = []
    for one in sorted(report.rules, key=lambda one: -one.saved_usd_per_hour):
        best = [f"{where} {_usd(usd)}" for where, usd in one.of_each[:3] if usd > 0]
        rows.append(
            (
                one.class_name,
                ", ".join(one.jurisdictions),
                _usd(one.saved_usd_per_hour),
                ", ".join(best) or "-",
            )
        )
    return Section(
        title="The price of a jurisdiction rule",
        heads=("class", "may run in", "without the rule USD/h", "one more jurisdiction USD/h")
        if rows
        else (),
        rows=tuple(rows),
    )


def _assets(report: Report) -> Section:
    said = [_idle(report, move) for move in report.misplaced]
    worth = [one for one in report.next_units if one.gain_usd_per_hour > _LITTLE_USD]
    if worth:
        best = worth[0]
        said.append(
            f"The next accelerator earns most as {best.accelerator} at {best.site}: "
            f"{_usd(best.gain_usd_per_hour)} USD/h ({_listed(best)})."
        )
        others = ", ".join(
            f"{one.accelerator} at {one.site} {_usd(one.gain_usd_per_hour)}" for one in worth[1:4]
        )
        if others:
            said.append(f"After it: {others}.")
    return Section(
        title="Accelerators and their prices",
        sentences=tuple(said),
        heads=("site", "accelerator", "owned", "used", "rented", "rent USD/h", "one more USD/h"),
        rows=tuple(
            (
                one.site,
                one.accelerator,
                str(one.owned),
                str(one.used),
                str(one.rented),
                _usd(one.rent_usd_per_hour),
                _usd(one.price_usd_per_hour),
            )
            for one in report.assets
        ),
    )


def _idle(report: Report, move: Move) -> str:
    use = next(
        one
        for one in report.assets
        if (one.site, one.accelerator) == (move.from_site, move.accelerator)
    )
    what = f"{move.accelerator} at {move.from_site} is priced at zero"
    idle = f"{max(0, use.owned - use.used)} of {use.owned} owned stand idle"
    if move.gain_usd_per_hour <= _LITTLE_USD:
        return f"{what} ({idle}), and earns nothing at another site either."
    return (
        f"{what} ({idle}): misplaced. One moved to {move.site} earns "
        f"{_usd(move.gain_usd_per_hour)} USD/h."
    )


def _listed(move: Move) -> str:
    word = "more" if move.gain_usd_per_hour > move.list_usd_per_hour else "less"
    return f"{word} than its price of {_usd(move.list_usd_per_hour)}"


def _changes(changes: Sequence[Change]) -> Section:
    return Section(
        title="If things change",
        sentences=("Placed anew each time, replicas in fractions.",),
        heads=("what", "by", "cost USD/h", "profit USD/h", "left out"),
        rows=tuple(
            (
                one.of,
                f"{one.ratio - 1.0:+.0%}",
                "-" if one.unmet_ratio else _usd(one.cost_usd_per_hour),
                "-" if one.unmet_ratio else _usd(one.profit_usd_per_hour),
                f"{one.unmet_ratio:.1%}",
            )
            for one in changes
        ),
    )


def _judged(judged: Sequence[Judged], report: Report) -> Section:
    kept = keeps_promises(judged, report.in_time)
    verdict = "Every class that must be served keeps" if kept else "NOT every class keeps"
    return Section(
        title="The plan in the twin",
        sentences=(
            f"{verdict} its promises for {report.in_time:.0%} of its requests at planned rates.",
        ),
        heads=("class", "from", "requests", "in time", "must"),
        rows=tuple(
            (
                one.class_name,
                one.origin,
                f"{one.calls:,}",
                f"{one.in_time_ratio:.2%}",
                "yes" if one.is_required else "if it pays",
            )
            for one in judged
        ),
    )
