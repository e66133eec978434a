"""What is asked of `flyball policy`: which files hold policies, tests, a question, records?"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.cli.file_shape import CannotUse, raise_if_bad, read
from flyball.governor.scope import place_of
from flyball.governor.tariff import tariff
from flyball.ledger.record import RecordError
from flyball.model.decision import Intent, Outcome, Record
from flyball.model.request import RequestClass
from flyball.model.verdict import Circumstances, Place, Subject
from flyball.serve.config import Config, ConfigErrors, load
from flyball.serve.log.reader import LogReader, open_log
from flyball.serve.log.writer import LedgerError
from flyball.units import Seconds

if TYPE_CHECKING:
    from flyball.authority.policy.cases import Case
    from flyball.authority.policy.compare import Asked
    from flyball.authority.policy.policies import PolicySet

ENTITIES = "entities.json"
TESTS = ("tests.yaml", "tests.yml", "tests.json")
# Refusals that other policies might not have made.
BY_POLICY = ("policy_denied", "policy_error")

Question = tuple[Subject, Circumstances, Place]


def read_policies(files: tuple[Path, ...]) -> "PolicySet":
    """The policy set of these files and folders. CannotUse, or PolicyErrors with every fault."""
    try:
        from flyball.authority.policy.policies import load as load_policies

        texts, entities, source = {}, "[]", ENTITIES
        for path in _spread(files):
            if path.suffix == ".cedar":
                texts[str(path)] = _text(path)
            elif path.name == ENTITIES or (path.suffix == ".json" and path.name not in TESTS):
                if entities != "[]":
                    raise CannotUse(f"{path}: entities stand in {source} already; give one file")
                entities, source = _text(path), str(path)
        if not texts:
            raise CannotUse(f"no .cedar file in {', '.join(map(str, files))}")
        return load_policies(texts, entities, entities_source=source)
    except ModuleNotFoundError as error:
        step = "install it with pip install 'flyball[serve]'"
        raise CannotUse(f"policies need the package {error.name}: {step}") from None


def read_cases(files: tuple[Path, ...], tests: tuple[Path, ...]) -> "tuple[Case, ...]":
    """All tests of the files named, else of those in the folders."""
    from flyball.authority.policy.cases import cases

    named = tests or tuple(path for path in _spread(files) if path.name in TESTS)
    if not named:
        raise CannotUse("no tests: name them with --tests, or put tests.yaml beside the policies")
    found: list[Case] = []
    for path in named:
        found += _placed(path, cases)
    return tuple(found)


def read_question(file: Path | None, facts: tuple[str, ...]) -> Question:
    """A question of a file, or none, with single facts over it."""
    from flyball.authority.policy.cases import CaseFault, question

    data: dict[str, Any] = {}
    if file is not None:
        _placed(file, question)
        data = read(str(file)).data
    for fact in facts:
        key, equals, value = fact.partition("=")
        part, dot, field = key.partition(".")
        if not (equals and dot):
            raise CannotUse(f"--set {fact}: write it as subject.data_class=personal")
        data[part] = (data.get(part) or {}) | {field: _plain(value)}
    try:
        return question(data)
    except CaseFault as fault:
        spot = ".".join(map(str, fault.path))
        raise CannotUse(f"{spot}: {fault.message}\n    {fault.next_step}") from None


class Recorded:
    """Questions of a log's records; `unknown` = those whose class or pool the fleet has not."""

    def __init__(self, log: LogReader, config: Config, since: Seconds) -> None:
        self._log, self._since = log, since
        self._classes = {one.name: one for one in config.policy.classes}
        sites = {site.name: site for site in config.fleet.sites}
        self._pools = {pool.name: pool for pool in config.fleet.pools}
        self._tariffs = {pool.name: tariff(pool) for pool in config.fleet.pools}
        self._places = {
            pool.name: place_of(pool, sites[pool.site], self._tariffs[pool.name])
            for pool in config.fleet.pools
        }
        self.unknown = 0

    def questions(self) -> "Iterator[Asked]":
        """Of each placement and each refusal by policy, oldest first. CannotUse at a bad entry."""
        try:
            for found in self._log.since(self._since):
                is_wanted = found.record.at >= self._since
                asked = self.question(found.record) if is_wanted else None
                if asked is not None:
                    yield asked
        except (LedgerError, RecordError) as error:
            raise CannotUse(f"the log cannot be read: {error}") from None

    def question(self, record: Record) -> "Asked | None":
        """What policy was asked for this record; None where it was not asked."""
        from flyball.authority.policy.compare import Asked

        if isinstance(record, Intent):
            klass, place = self._classes.get(record.class_name), self._places.get(record.pool)
            if klass is not None and place is not None:
                circumstances = self._circumstances(record)
                return Asked(record.id, _subject(record, klass), circumstances, (place,))
            self.unknown += 1
        elif isinstance(record, Outcome) and record.attempts == 0 and record.code in BY_POLICY:
            klass = self._classes.get(record.class_name)
            places = tuple(
                self._places[name]
                for name, pool in self._pools.items()
                if record.model in pool.models
            )
            if klass is not None and places:
                circumstances = Circumstances(at=record.at)
                return Asked(record.id, _subject(record, klass), circumstances, places)
            self.unknown += 1
        return None

    def _circumstances(self, intent: Intent) -> Circumstances:
        tariff_there = self._tariffs[intent.pool]
        return Circumstances(
            at=intent.at,
            cost_micro_usd=tariff_there.cost(intent.tokens_kept, intent.output_tokens_max),
            truncated_tokens=max(0, intent.tokens_offered - intent.tokens_kept),
            retry_depth=max(intent.attempt - 1, int(intent.is_retry)),
            hops=_depth(intent),
        )


def read_recorded(folder: Path, fleet: Path, since_s: Seconds) -> Recorded:
    """The questions that a log answers for; CannotUse if it or the fleet file cannot be read."""
    try:
        log = open_log(folder)
        newest = log.newest(lambda _: True) if since_s > 0 else None
        since = newest.record.at - since_s if newest is not None else 0.0
        return Recorded(log, load(str(fleet), is_lenient=True), since)
    except (LedgerError, RecordError) as error:
        raise CannotUse(str(error)) from None
    except ConfigErrors as error:
        raise CannotUse(f"the fleet file cannot be used:\n{error}") from None
    except OSError as error:
        raise CannotUse(f"cannot read {error.filename}: {error.strerror}") from None


def recorded_question(folder: Path, fleet: Path, record_id: str) -> Question:
    """The question behind one record; a refused request is asked about the first pool that
    serves its model."""
    recorded = read_recorded(folder, fleet, 0.0)
    log = open_log(folder)
    for found in log.find(record_id):
        asked = recorded.question(found.record) if found.record.id == record_id else None
        if asked is not None:
            return asked.subject, asked.circumstances, asked.places[0]
    near = log.near(record_id)
    hint = f" Nearest: {', '.join(near)}." if near else ""
    raise CannotUse(f"no record of {record_id!r} that policy was asked about in {folder}.{hint}")


def _subject(record: Intent | Outcome, klass: RequestClass) -> Subject:
    """As the gateway asks; what a mandate said is in the record of a placement alone."""
    warrant = record.warrant if isinstance(record, Intent) and record.warrant else None
    model = record.served_model or record.model if isinstance(record, Intent) else record.model
    latency_s = klass.promise.e2e_s or klass.promise.ttft_s
    return Subject(
        action="infer",
        principal=(warrant.actor if warrant else "") or record.principal,
        class_name=klass.name,
        model=model,
        human=warrant.human if warrant else "",
        depth=_depth(record) if isinstance(record, Intent) else 0,
        data_class=klass.data_class,
        data_home=klass.data_home,
        transfer_basis=klass.transfer_basis,
        purpose=klass.purpose,
        latency_class_ms=round(latency_s * 1000),
    )


def _depth(intent: Intent) -> int:
    """Delegations behind it: each adds a block to the mandate's first."""
    return max(0, len(intent.warrant.chain) - 1) if intent.warrant else 0


def _spread(files: tuple[Path, ...]) -> Iterator[Path]:
    for path in files:
        if path.is_dir():
            yield from sorted(one for one in path.iterdir() if one.is_file())
        else:
            yield path


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise CannotUse(f"{path}: the file is not UTF-8; save it as UTF-8 text") from None
    except OSError as error:
        raise CannotUse(f"cannot read {path}: {error.strerror or error}") from None


def _placed(path: Path, build: Any) -> Any:
    """What `build` makes of a YAML file; a fault is told with its place."""
    from flyball.authority.policy.cases import CaseFault

    document = read(str(path))
    raise_if_bad(document)
    try:
        return build(document.data)
    except CaseFault as fault:
        at = "key" if fault.message.startswith("unknown key") else "value"
        document.fault(fault.path, fault.message, fault.next_step, at=at)
        raise_if_bad(document)


def _plain(value: str) -> Any:
    """A fact as written on the command line: a number, true or false, else text."""
    if value in ("true", "false"):
        return value == "true"
    try:
        return float(value) if "." in value else int(value)
    except ValueError:
        return value
