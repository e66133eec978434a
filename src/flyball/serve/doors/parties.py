"""Who is calling, and in which role may they act here?"""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from flyball.authority.revocation.calls import CallError, Calls
from flyball.authority.revocation.roles import Act, may
from flyball.authority.revocation.signer import Signer, key_text, read_key
from flyball.serve.config.oversight import OversightSection
from flyball.units import Seconds

SITE = "site"
EVALUATOR = "evaluator"


class Caller(Struct, frozen=True):
    """A party that was recognised. `role` = a person's, or "site", or "evaluator"."""

    name: str
    role: str


class Refused(Exception):
    """A caller that may not: 401 = not known, 403 = known, but not allowed this."""

    def __init__(self, status: int, detail: str, caller: Caller | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.caller = caller


class Parties:
    """All that may call, as the fleet file says. Raises KeyTextError for a weak key in it."""

    def __init__(self, section: OversightSection, own: Signer) -> None:
        self._site = own.name
        self._own_key = own.public
        self._calls = Calls(own.name, {})
        self.adopt(section)

    def adopt(self, section: OversightSection) -> None:
        """A new fleet file: who left may do nothing from now on."""
        people = {name: read_key(one.key) for name, one in section.people.items()}
        sites = {name: read_key(one.key) for name, one in section.feeds.items()}
        self.keys: Mapping[str, bytes] = {**people, **sites}
        self._roles = {name: one.role for name, one in section.people.items()}
        self._evaluators = {one.key_sha256.lower(): n for n, one in section.evaluators.items()}
        self._calls.adopt(self.keys)

    def role_of(self, name: str) -> str:
        """The person's role; "" = no person."""
        return self._roles.get(name, "")

    def caller(
        self, act: Act, header: str, method: str, target: str, body: bytes, at: Seconds
    ) -> Caller:
        """The person whose call this is, if their role allows `act`. Raises Refused."""
        found = self._known(header, method, target, body, at)
        if not may(found.role, act):
            detail = f"{found.name} has the role {found.role}: it may not {act}"
            raise Refused(403, detail, found)
        return found

    def listener(self, header: str, method: str, target: str, at: Seconds) -> Caller:
        """A site that we follow too, or a person who may read. Raises Refused."""
        found = self._known(header, method, target, b"", at)
        if found.role != SITE and not may(found.role, "read"):
            raise Refused(403, f"{found.name} may not listen", found)
        return found

    def evaluator(self, header: str) -> Caller:
        """Whoever has one of the evaluators' bearer keys. Raises Refused."""
        given = sha256(header.removeprefix("Bearer ").encode()).hexdigest()
        for known, name in self._evaluators.items():
            if header.startswith("Bearer ") and hmac.compare_digest(known, given):
                return Caller(name, EVALUATOR)
        raise Refused(401, "a bearer key of oversight.evaluators is needed")

    def about(self) -> dict[str, str]:
        """What anyone may know: this site's name and public key."""
        return {"site": self._site, "key": key_text(self._own_key)}

    def _known(self, header: str, method: str, target: str, body: bytes, at: Seconds) -> Caller:
        try:
            name = self._calls.caller(header, method, target, body, at)
        except CallError as error:
            raise Refused(401, str(error)) from None
        return Caller(name, self._roles.get(name, SITE))
