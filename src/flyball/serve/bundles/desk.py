"""Which bundles come into force with this configuration, and what becomes of one that is bad?

A bundle is read, vetted, kept on disk, and only then in force. One that is refused changes nothing:
the bundle kept before goes on, if it still holds. One that expires while it is in force forbids
everything until a newer one comes. A gateway does not start without a bundle that it was told of.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from flyball.authority.bundles.archive import ENTITIES, POLICIES, BundleError
from flyball.authority.bundles.bundle import Bundle, decode
from flyball.authority.bundles.ceilings import lowered, strangers
from flyball.authority.bundles.vet import Demands, Vetted, vet
from flyball.governor.policy import Policy
from flyball.serve.bundles.kept import Kept
from flyball.serve.bundles.proven import checker
from flyball.serve.bundles.source import fetch
from flyball.serve.config import Config, ConfigError, ConfigErrors
from flyball.serve.config.authority import PolicyTexts
from flyball.serve.config.bundles import BundleSettings
from flyball.units import Seconds

VOID = "void:"


class Tidings(Struct, frozen=True, kw_only=True):
    """What became of a bundle, for the operator and (`is_recorded`) for the log.

    `digest` and `version` are "" and 0 where it could not be read so far.
    """

    level: str
    code: str
    role: str
    text: str
    reason: str = ""
    digest: str = ""
    version: int = 0
    is_recorded: bool = False


class Desk:
    """Resolves configurations, one at a time; may be asked from any thread."""

    def __init__(self, now: Callable[[], Seconds] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._in_force: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._tidings: list[Tidings] = []

    def resolve(self, config: Config) -> Config:
        """The configuration with its bundles' policies, and within their limits.

        Reads files and registries. Raises ConfigErrors if a bundle is bad and none was kept.
        """
        wanted = config.authority.bundles
        if not wanted:
            return config
        with self._lock:
            kept = Kept(Path(config.authority.bundle_folder))
            sets: list[PolicyTexts] = []
            policy, faults = config.policy, []
            for role, settings in wanted.items():
                try:
                    found = self._role(role, settings, kept)
                except BundleError as error:
                    faults.append(_config_error(config, role, error))
                    continue
                sets.append(found if isinstance(found, PolicyTexts) else _texts(role, found))
                if isinstance(found, Vetted):
                    policy = self._within(policy, role, found)
        if faults:
            raise ConfigErrors(faults)
        texts = (*sets, *config.authority.policies)
        authority = msgspec.structs.replace(config.authority, policies=texts)
        return msgspec.structs.replace(config, authority=authority, policy=policy)

    def take_tidings(self) -> list[Tidings]:
        """What has happened since the last call."""
        with self._lock:
            told, self._tidings = self._tidings, []
        return told

    def _role(self, role: str, settings: BundleSettings, kept: Kept) -> Vetted | PolicyTexts:
        """What is in force for the role: a bundle, or (expired) the set that allows nothing."""
        at, before = self._now(), kept.read(role)
        demands = demands_of(settings)
        offered: Bundle | None = None
        try:
            data = fetch(settings.source)
            offered = decode(data)
            found = vet(offered, demands, at, before.manifest if before else None)
            if before is None or before.encode() != data:
                kept.write(role, data)
        except BundleError as refused:
            return self._instead(role, demands, before, offered, refused)
        self._set(role, found)
        return found

    def _instead(
        self,
        role: str,
        demands: Demands,
        before: Bundle | None,
        offered: Bundle | None,
        refused: BundleError,
    ) -> Vetted | PolicyTexts:
        """The bundle kept before, since the one offered is refused. Raises `refused` again if
        there is none that holds and nothing was in force."""
        if before is None:
            raise refused
        try:
            found = vet(before, demands, self._now())
        except BundleError as fault:
            if role not in self._in_force:
                raise refused from None
            self._tell(role, refused, offered, f"nothing is allowed: the one kept: {fault}")
            return PolicyTexts(
                name=role, texts={}, entities="[]", digest=VOID + before.digest, role=role,
                version=before.manifest.version,
            )  # fmt: skip
        self._tell(role, refused, offered, f"version {before.manifest.version} stays in force")
        self._in_force[role] = found.bundle.digest
        return found

    def _set(self, role: str, found: Vetted) -> None:
        self._told.pop(role, None)
        if self._in_force.get(role) == found.bundle.digest:
            return
        self._in_force[role] = found.bundle.digest
        about = found.bundle.manifest
        by = f"signed by {', '.join(found.signers)}" if found.signers else "not signed"
        text = f"{role}: {about.name} version {about.version} ({found.bundle.digest[:19]}), {by}"
        self._tidings.append(Tidings(level="info", code="bundle-taken", role=role, text=text))

    def _tell(self, role: str, refused: BundleError, offered: Bundle | None, what: str) -> None:
        """Once for each reason, however often it is looked at."""
        away = refused.code == "unreachable"
        digest = offered.digest if offered else ""
        told = f"{digest} {refused.code} {refused if not away else ''} {what}"
        if self._told.get(role) == told:
            return
        self._told[role] = told
        self._tidings.append(
            Tidings(
                level="warning" if away else "error",
                code="bundle-unreachable" if away else "bundle-refused",
                role=role,
                text=f"{role}: {refused}; {what}",
                reason=f"{refused.code}: {refused}",
                digest=digest,
                version=offered.manifest.version if offered else 0,
                is_recorded=not away,
            )
        )

    def _within(self, policy: Policy, role: str, found: Vetted) -> Policy:
        for text in strangers(policy, found.ceilings):
            if self._told.get(text) is None:
                self._told[text] = role
                self._tidings.append(
                    Tidings(level="warning", code="bundle-limit", role=role, text=text)
                )
        return lowered(policy, found.ceilings)


def demands_of(settings: BundleSettings) -> Demands:
    """What the configuration wants a bundle to show."""
    return Demands(
        signers=settings.signers,
        least=settings.signers_min,
        tenant=settings.tenant,
        check_proof=checker(settings.log_trust) if settings.log_trust else None,
    )


def _texts(role: str, found: Vetted) -> PolicyTexts:
    bundle = found.bundle
    return PolicyTexts(
        name=role,
        texts={POLICIES: bundle.text(POLICIES)},
        entities=bundle.text(ENTITIES),
        digest=bundle.digest,
        role=role,
        version=bundle.manifest.version,
        signers=found.signers,
        expires_at=bundle.manifest.expires_at,
    )


def _config_error(config: Config, role: str, error: BundleError) -> ConfigError:
    return ConfigError(
        source=config.authority.bundles[role].source,
        path=f"authority.bundles.{role}",
        message=f"{error.code}: {error}",
        next_step=error.next_step or "flyball bundle verify says what is wrong with a bundle.",
    )
