"""What is a mandate: a verified chain of delegation from a human, as facts that a decision reads?

A mandate is made from a token only after its signatures were verified; the token itself never gets
this far. Each hop can only narrow, so what is written here is the meet of all its blocks.
"""

from msgspec import Struct

from flyball.units import Seconds

MicroUsd = int


class Approval(Struct, frozen=True, kw_only=True, gc=False):
    """A named person allowed one action, once: signed over the action's hash and the policy's."""

    id: str
    by: str
    action_sha256: str
    policy_digest: str
    expires_at: Seconds


class Spend(Struct, frozen=True, array_like=True, gc=False):
    """The ceiling that one block of a chain (`block` = its id) sets on all spent under it."""

    block: str
    limit_micro_usd: MicroUsd


class Mandate(Struct, frozen=True, kw_only=True, gc=False):
    """Who lets whom do what. () and "" = not limited by the token.

    `chain` = revocation ids (lower-case hex), root block first: revoking one revokes all that
    follow it. `human` = "issuer|subject" of the person behind it, `delegates` = agents in order of
    delegation, the last one acts. `data_classes`, `models`, `operations`, `classes` and
    `jurisdictions` are what every block allows. `policy_digest` = the only workload bundle it may
    run under. `holder` = thumbprint (RFC 7638) of the key whose possession must be shown,
    `is_held` = it was. `acr` and `amr` = how the human was authenticated (OpenID Connect). Times
    are Unix seconds: it was granted at `not_before` and holds until `expires_at`.
    """

    chain: tuple[str, ...]
    human: str
    root_key: str = ""
    session: str = ""
    tenant: str = ""
    delegates: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    spends: tuple[Spend, ...] = ()
    depth_left: int = 0
    autonomy: int = 0
    policy_digest: str = ""
    holder: str = ""
    is_held: bool = False
    approvals: tuple[Approval, ...] = ()
    not_before: Seconds = 0.0
    expires_at: Seconds = 0.0
    acr: str = ""
    amr: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id of the last block: it names this chain and no other."""
        return self.chain[-1]

    @property
    def subjects(self) -> tuple[str, ...]:
        """How a revocation names the person behind it, and the person's session."""
        return subjects_named(self.human, self.session)

    @property
    def actor(self) -> str:
        """Who acts: the last delegate, or the human."""
        return self.delegates[-1] if self.delegates else self.human


def subjects_named(human: str, session: str) -> tuple[str, ...]:
    """How a revocation names a person ("issuer|subject"), and that person's session ("" = none)."""
    person = f"human:{human}"
    if not session:
        return (person,)
    return person, f"session:{human.partition('|')[0]}|{session}"
