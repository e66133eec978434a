"""Which configuration does a fleet file stand for, or what is wrong with it?"""

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from flyball.dialects.profiles import catalogue
from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.serve.config.authority import (
    NOTHING,
    AuthoritySettings,
    read_authority,
    with_authority,
)
from flyball.serve.config.build import (
    build_classes,
    build_fleet,
    build_policy,
    build_principals,
    build_profiles,
    in_seconds,
)
from flyball.serve.config.environment import expand, override
from flyball.serve.config.errors import ConfigError, ConfigErrors
from flyball.serve.config.limits import Limits
from flyball.serve.config.logs import check_logs, check_texts, log_within
from flyball.serve.config.model import (
    ClassSection,
    FleetFile,
    LedgerSection,
    PoolSection,
    PrincipalSection,
    SiteSection,
    TlsSection,
)
from flyball.serve.config.oversight import (
    OversightSection,
    absolute,
    check_oversight,
    with_feeds,
)
from flyball.serve.config.planning import BudgetSection, check_budgets
from flyball.serve.config.promises import check_promises
from flyball.serve.config.references import check_references, endpoint_name, endpoint_section
from flyball.serve.config.shape import check_shape
from flyball.serve.config.steering import ActuatorSection, check_steering
from flyball.serve.config.surroundings import (
    Secrets,
    check_tls,
    read_credentials,
    read_headers,
    read_keys,
    read_operators,
)
from flyball.serve.config.text import Document, parse
from flyball.units import Bytes, Ratio, Seconds

FILE_BYTES_MAX: Bytes = 4 << 20
NAMED = {
    "sites": SiteSection,
    "budgets": BudgetSection,
    "pools": PoolSection,
    "classes": ClassSection,
    "principals": PrincipalSection,
}


class Listen(Struct, frozen=True, kw_only=True):
    """The address of the gateway; port 0 = any free one."""

    host: str
    port: int


class ScrapeSettings(Struct, frozen=True, kw_only=True):
    """How engines' metrics are read."""

    interval_s: Seconds
    timeout_s: Seconds


class TelemetrySettings(Struct, frozen=True, kw_only=True):
    """What is told to OpenTelemetry; `otlp_endpoint` "" = as the environment says."""

    otlp_endpoint: str
    otlp_headers: Secrets
    export_interval_s: Seconds
    spans_max: int
    sample_ratio: Ratio


class Config(Struct, frozen=True, kw_only=True):
    """A configuration that may come into force. All paths are absolute; its repr tells no secret.

    `credentials` holds engines' API keys and `tls_ca` CA files, both by endpoint name. `digest` is
    the SHA-256 of the content (secrets left out), equal for files that mean the same.
    `actuator_secrets` are by "ACTUATOR SCOPE"; `admin_sha256` is the operators' key's, "" = anyone
    may (this machine alone, no principals), None = nobody.
    """

    source: str
    fleet: Fleet
    policy: Policy
    listen: Listen
    tls: TlsSection | None
    workers: int
    limits: Limits
    ledger: LedgerSection
    scrape: ScrapeSettings
    telemetry: TelemetrySettings
    credentials: Secrets
    tls_ca: dict[str, str]
    watch: bool
    digest: str
    warnings: tuple[ConfigError, ...] = ()
    actuators: tuple[ActuatorSection, ...] = ()
    actuator_secrets: Secrets = msgspec.field(default_factory=lambda: Secrets({}))
    admin_sha256: str | None = None
    oversight: OversightSection | None = None
    authority: AuthoritySettings = NOTHING


def load(
    path: str | Path, env: Mapping[str, str] | None = None, *, is_lenient: bool = False
) -> Config:
    """Read, check and build. Raises ConfigErrors with every fault found, OSError if unreadable.

    `is_lenient` turns environment variables that are not set into warnings: for checking a file on
    another machine than the one it runs on.
    """
    file = Path(path)
    with file.open("rb") as stream:
        content = stream.read(FILE_BYTES_MAX + 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        raise ConfigErrors(
            [
                ConfigError(
                    line=before.count(b"\n") + 1,
                    col=error.start - (before.rfind(b"\n") + 1) + 1,
                    source=str(path),
                    path="",
                    message="the file is not UTF-8",
                    next_step="Save it as UTF-8 text.",
                )
            ]
        ) from None
    known = os.environ if env is None else env
    return read(text, str(path), known, file.absolute().parent, is_lenient=is_lenient)


def read(
    text: str, source: str, env: Mapping[str, str], folder: Path, *, is_lenient: bool = False
) -> Config:
    """As `load`, from text; relative paths in it are taken from `folder`."""
    document = parse(text, source)
    if document.data is not None:
        override(document, env)
        expand(document, env, is_lenient=is_lenient)
        check_shape(document)
    if not isinstance(document.data, dict):
        raise ConfigErrors(document.errors)
    return _checked(salvaged(document.data), document, env, folder, is_lenient)


def salvaged(data: dict[str, Any]) -> FleetFile:
    """The sections that have a right shape, so that the checks of meaning see them even when
    others are faulty (which is noted by then)."""
    found: dict[str, Any] = {"version": "v1", "sites": {}, "pools": {}}
    for field in msgspec.structs.fields(FleetFile):
        if field.name not in data:
            continue
        value = data[field.name]
        if field.name in NAMED and isinstance(value, dict):
            entries = {name: _converted(entry, NAMED[field.name]) for name, entry in value.items()}
            found[field.name] = {
                name: entry for name, entry in entries.items() if entry is not None
            }
        elif (whole := _converted(value, field.type)) is not None:
            found[field.name] = whole
    return FleetFile(**found)


def _converted(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None


def _checked(
    file: FleetFile, document: Document, env: Mapping[str, str], folder: Path, is_lenient: bool
) -> Config:
    check_references(file, document)
    check_tls(file, document, folder)
    credentials = read_credentials(file, document, env, is_lenient=is_lenient)
    headers = read_headers(file, document, env, is_lenient=is_lenient)
    operators = read_operators(file, document, env, is_lenient=is_lenient)
    check_budgets(file.budgets, file.classes, document)
    check_steering(file.loops, file.actuators, _scopes(file), document)
    check_oversight(file.oversight, document)
    sites = {site.jurisdiction for site in file.sites.values()}
    check_logs(file.ledger.folder, file.ledger.jurisdictions, sites, document)
    if not is_lenient:
        texts = _ledger(file.ledger, folder)
        check_texts(texts.commit, texts.seal, texts.master, document)
    authority = read_authority(file.authority, folder, document)
    keys = read_keys(file, document, env, is_lenient=is_lenient)
    profiles = build_profiles(file, document, catalogue())
    classes = build_classes(file)
    principals = build_principals(file, keys)
    if _is_bad_in(document, "", "version", "sites", "pools"):
        raise ConfigErrors(document.errors)
    fleet = build_fleet(file, profiles)
    check_promises(fleet, classes, principals, document)
    if document.is_bad:
        raise ConfigErrors(document.errors)
    policy = with_feeds(build_policy(file, classes, principals), file.oversight)
    policy = with_authority(policy, file.authority)
    made = _config(file, document, folder, fleet, policy, credentials, headers, authority)
    actuator_secrets, admin_sha256 = operators
    return msgspec.structs.replace(
        made, actuator_secrets=actuator_secrets, admin_sha256=admin_sha256
    )


def _scopes(file: FleetFile) -> dict[str, object]:
    """Everything that a loop may act on by name."""
    return {**file.pools, **file.sites, **file.classes}


def _is_bad_in(document: Document, *sections: str) -> bool:
    """Whether one of these sections ("" = the whole file) has an error."""
    return any(
        error.severity == "error" and error.path.split(".")[0].split("[")[0] in sections
        for error in document.errors
    )


def _ledger(section: LedgerSection, folder: Path) -> LedgerSection:
    return msgspec.structs.replace(
        section,
        folder=str(folder / section.folder),
        keys=tuple(str(folder / key) for key in section.keys),
        trust=str(folder / section.trust) if section.trust else None,
        vault=str(folder / section.vault),
        master=str(folder / section.master) if section.master else None,
        jurisdictions={
            name: log_within(one, folder) for name, one in section.jurisdictions.items()
        },
    )


def _config(
    file: FleetFile,
    document: Document,
    folder: Path,
    fleet: Fleet,
    policy: Policy,
    credentials: Secrets,
    headers: Secrets,
    authority: AuthoritySettings,
) -> Config:
    tls = file.listen.tls
    if tls is not None:
        tls = TlsSection(cert=str(folder / tls.cert), key=str(folder / tls.key))
    parts: dict[str, Any] = {
        "fleet": fleet,
        "policy": policy,
        "listen": Listen(host=file.listen.host, port=file.listen.port),
        "tls": tls,
        "workers": file.listen.workers,
        "limits": Limits(**msgspec.structs.asdict(file.limits)),
        "ledger": _ledger(file.ledger, folder),
        "scrape": ScrapeSettings(**in_seconds(file.scrape)),
        "tls_ca": _authorities(file, folder),
        "watch": file.watch,
        "actuators": tuple(_absolute(one, folder) for one in file.actuators),
    }
    if file.authority is not None:
        parts["authority"] = authority
    if file.oversight is not None:
        parts["oversight"] = absolute(file.oversight, folder)
    telemetry = in_seconds(file.telemetry)
    digest = sha256(msgspec.json.encode([parts, telemetry], order="deterministic")).hexdigest()
    del telemetry["otlp_headers_env"]
    telemetry["otlp_endpoint"] = telemetry["otlp_endpoint"] or ""
    return Config(
        source=document.source,
        telemetry=TelemetrySettings(**telemetry, otlp_headers=headers),
        credentials=credentials,
        digest=digest,
        warnings=tuple(document.errors),
        **parts,
    )


def _absolute(one: ActuatorSection, folder: Path) -> ActuatorSection:
    """Its files from the folder of the fleet file."""
    return msgspec.structs.replace(
        one,
        ca=str(folder / one.ca) if one.ca else "",
        token_file=str(folder / one.token_file) if one.token_file else "",
    )


def _authorities(file: FleetFile, folder: Path) -> dict[str, str]:
    return {
        endpoint_name(name, i, entry): str(folder / section.tls_ca)
        for name, pool in file.pools.items()
        for i, entry in enumerate(pool.endpoints)
        if (section := endpoint_section(entry)).tls_ca is not None
    }
