"""Does every name point somewhere, and is no name or address given twice?"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.model import EndpointSection, FleetFile, PoolSection, PrincipalSection
from flyball.serve.config.sessions import check_sessions
from flyball.serve.config.text import Document, Path, spelled

DEFAULT_PORTS = {"http": 80, "https": 443}
NOT_SCRAPED = "none"


def endpoint_section(entry: str | EndpointSection) -> EndpointSection:
    """An entry of `endpoints` in its long form."""
    return EndpointSection(url=entry) if isinstance(entry, str) else entry


def endpoint_name(pool_name: str, index: int, entry: str | EndpointSection) -> str:
    """The name given, else POOL-NUMBER."""
    return endpoint_section(entry).name or f"{pool_name}-{index}"


class Declared(Struct, frozen=True):
    """Every name that the file gives, in sections that are faulty too."""

    sites: frozenset[str]
    classes: frozenset[str]
    models: frozenset[str]
    jurisdictions: frozenset[str]


def declared(data: dict[str, Any]) -> Declared:
    """Gather the names out of plain data of any shape."""
    return Declared(
        sites=frozenset(_entries(data, "sites")),
        classes=frozenset(_entries(data, "classes")),
        models=frozenset(
            model
            for pool in _entries(data, "pools").values()
            if isinstance(pool, dict) and isinstance(pool.get("models"), list)
            for model in pool["models"]
            if isinstance(model, str)
        ),
        jurisdictions=frozenset(
            site["jurisdiction"]
            for site in _entries(data, "sites").values()
            if isinstance(site, dict) and isinstance(site.get("jurisdiction"), str)
        ),
    )


def _entries(data: dict[str, Any], section: str) -> dict[str, Any]:
    found = data.get(section)
    return found if isinstance(found, dict) else {}


def check_references(file: FleetFile, document: Document) -> None:
    """Note names that point nowhere, and endpoints that share a name or a URL."""
    known = declared(document.data)
    for name, pool in file.pools.items():
        _known(document, ("pools", name, "site"), pool.site, known.sites, "site")
        _singles(document, ("pools", name, "models"), pool.models)
    for name, klass in file.classes.items():
        for i, tier in enumerate(klass.tiers):
            at_tier: Path = ("classes", name, "tiers", i, "model")
            _known(document, at_tier, tier.model, known.models, "model in any pool")
        at: Path = ("classes", name, "jurisdictions")
        _known_places(document, at, klass.jurisdictions, known.jurisdictions)
    check_sessions({name: klass.sessions for name, klass in file.classes.items()}, document)
    for name, party in file.principals.items():
        _check_principal(document, ("principals", name), party, known)
    _check_endpoints(file.pools, document)


def _check_principal(
    document: Document, at: Path, party: PrincipalSection, known: Declared
) -> None:
    for i, wanted in enumerate(party.classes):
        _known(document, (*at, "classes", i), wanted, known.classes, "class")
    for i, wanted in enumerate(party.models):
        _known(document, (*at, "models", i), wanted, known.models, "model in any pool")
    _known_places(document, (*at, "jurisdictions"), party.jurisdictions, known.jurisdictions)
    chosen = party.default_class
    if not chosen:
        return
    _known(document, (*at, "default_class"), chosen, known.classes, "class")
    if party.classes and chosen not in party.classes:
        document.fault(
            (*at, "default_class"),
            f"{chosen!r} is not among this principal's classes",
            f"Add it to {spelled((*at, 'classes'))}, or name one of them.",
        )


def _known(document: Document, path: Path, name: str, known: Iterable[str], noun: str) -> None:
    words = sorted(known)
    if name not in words:
        document.fault(
            path,
            f"there is no {noun} named {name!r}",
            f"{did_you_mean(name, words)}Known: {listed(words)}.",
        )


def _known_places(
    document: Document, path: Path, names: tuple[str, ...], places: Iterable[str]
) -> None:
    for i, name in enumerate(names):
        words = sorted(places)
        if name not in words:
            document.fault(
                (*path, i),
                f"no site stands in the jurisdiction {name!r}",
                f"{did_you_mean(name, words)}Sites stand in: {listed(words)}.",
                severity="warning",
            )


def _singles(document: Document, path: Path, names: tuple[str, ...]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            document.fault((*path, i), f"{name!r} stands twice", "Delete one.")


def _check_endpoints(pools: dict[str, PoolSection], document: Document) -> None:
    names: dict[str, Path] = {}
    urls: dict[str, Path] = {}
    for pool_name, pool in pools.items():
        for i, entry in enumerate(pool.endpoints):
            path: Path = ("pools", pool_name, "endpoints", i)
            section = endpoint_section(entry)
            url_path = path if isinstance(entry, str) else (*path, "url")
            _single(document, names, endpoint_name(pool_name, i, entry), path, "name")
            if is_url(document, url_path, section.url):
                _single(document, urls, _normal(section.url), url_path, "URL")
            if section.metrics_url not in (None, NOT_SCRAPED):
                is_url(document, (*path, "metrics_url"), section.metrics_url)


def _single(document: Document, seen: dict[str, Path], word: str, path: Path, noun: str) -> None:
    if word in seen:
        document.fault(
            path,
            f"the {noun} {word!r} belongs to {spelled(seen[word])} already",
            f"Give each endpoint a {noun} of its own.",
        )
    seen.setdefault(word, path)


def is_url(document: Document, path: Path, url: str) -> bool:
    """Whether it is `http(s)://host[:port][/path]`; if not, a fault is noted."""
    problem = _url_problem(url)
    if problem and "${" not in url:
        document.fault(path, problem, "Write http://HOST:PORT or https://HOST:PORT/PATH.")
    return not problem


def _url_problem(url: str) -> str:
    if any(char.isspace() or not char.isprintable() for char in url):
        return "the URL holds a space or an unprintable character"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"the URL is not valid: {error}"
    if parts.scheme not in DEFAULT_PORTS:
        return f"the URL's scheme is {parts.scheme!r}" if parts.scheme else "the URL has no scheme"
    if not parts.hostname:
        return "the URL has no host"
    if port == 0:
        return "the URL's port is 0"
    if parts.username is not None or parts.password is not None:
        return "the URL holds a user name or a password (use api_key_env)"
    if parts.query or parts.fragment:
        return "the URL has a query or a fragment"
    return ""


def _normal(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"
