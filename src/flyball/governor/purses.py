"""How much may still be spent under each block of a mandate's chain, and how much of that is here?

Reserved before the effect, settled after it: what is spent can never exceed the block's limit,
whatever runs at once. Several workers spend from leases: a worker's purse holds what the treasury
of the control process lent to it, and gives back what lies idle. Sums are whole micro-USD.
"""

from collections.abc import Iterable, Iterator

from flyball.model.mandate import MicroUsd, Spend
from flyball.units import Seconds

PURSES_MAX = 262_144
# A purse that nobody touched for so long belongs to a mandate that has long expired.
FORGET_S: Seconds = 31 * 86_400.0
# What a worker does not use for so long goes back to the treasury.
IDLE_S: Seconds = 1.0
ASK_S: Seconds = 0.5
# A lease is at most this share of what is left, for each worker: the others need some too.
SLICES = 4


class Purse:
    """One block's money in one core: `room` = all that may be spent here, ever.

    `touched_at` = when some of it was last set aside: what is too little for all who ask is idle.
    """

    __slots__ = (
        "asked_at", "dry_until", "lent", "limit", "reserved", "room", "spent", "told", "touched_at",
    )  # fmt: skip

    def __init__(self, limit: MicroUsd, room: MicroUsd) -> None:
        self.limit = limit
        self.room = room
        self.reserved: MicroUsd = 0
        self.spent: MicroUsd = 0
        self.told: MicroUsd = 0
        self.asked_at: Seconds = float("-inf")
        self.dry_until: Seconds = float("-inf")
        self.lent: MicroUsd = 0
        self.touched_at: Seconds = 0.0

    @property
    def free(self) -> MicroUsd:
        """What may be reserved at once."""
        return self.room - self.reserved - self.spent


class Purses:
    """All purses of one core. `is_whole` = it is alone: each purse holds its whole limit."""

    def __init__(self, is_whole: bool) -> None:
        self.is_whole = is_whole
        self._purses: dict[str, Purse] = {}
        self._active: dict[str, Purse] = {}

    def reserve(
        self, spends: tuple[Spend, ...], cost: MicroUsd, at: Seconds
    ) -> tuple[Spend, Purse] | None:
        """Set `cost` aside in every purse, or in none: then the first that lacks it.

        Raises OverflowError if there are too many purses for one more.
        """
        purses = [self._find(spend, at) for spend in spends]
        for spend, purse in zip(spends, purses, strict=True):
            if purse.free < cost:
                return spend, purse
        for purse in purses:
            purse.reserved += cost
            purse.touched_at = at
        return None

    def settle(self, spends: tuple[Spend, ...], reserved: MicroUsd, spent: MicroUsd) -> None:
        """Take `spent` (at most `reserved`) of what was set aside; the rest is free again."""
        for spend in spends:
            purse = self._purses[spend.block]
            purse.reserved -= reserved
            purse.spent += min(spent, reserved)

    def left(self, spends: tuple[Spend, ...]) -> MicroUsd:
        """What is left of the leanest of these budgets, as far as it is known here: a worker knows
        its own spending."""
        return min(self._left(spend) for spend in spends)

    def _left(self, spend: Spend) -> MicroUsd:
        purse = self._purses.get(spend.block)
        if purse is None:
            return spend.limit_micro_usd
        return purse.limit - purse.reserved - purse.spent

    def lend(self, block: str, amount: MicroUsd, lent: MicroUsd, at: Seconds) -> None:
        """The treasury's answer; 0 = nothing now."""
        purse = self._purses.get(block)
        if purse is None:
            return
        purse.room += amount
        purse.touched_at = at
        self._active[block] = purse
        purse.asked_at = float("-inf")
        purse.lent = lent
        if not amount:
            purse.dry_until = at + IDLE_S

    def news(
        self, at: Seconds, is_end: bool = False
    ) -> Iterator[tuple[str, Purse, MicroUsd, MicroUsd]]:
        """(block, purse, spent since told, given back now) of each purse with news. At the end all
        that is free is given back."""
        for block, purse in list(self._active.items()):
            spent, purse.told = purse.spent - purse.told, purse.spent
            returned = 0
            if (is_end or at - purse.touched_at >= IDLE_S) and purse.free > 0:
                returned = purse.free
                purse.room -= returned
            if spent or returned:
                yield block, purse, spent, returned
            elif not purse.reserved and not purse.free:
                del self._active[block]

    def _find(self, spend: Spend, at: Seconds) -> Purse:
        purse = self._purses.get(spend.block)
        if purse is None:
            if len(self._purses) >= PURSES_MAX:
                self._forget(at)
            limit = spend.limit_micro_usd
            purse = self._purses[spend.block] = Purse(limit, limit if self.is_whole else 0)
            purse.touched_at = at
        if not self.is_whole:
            self._active[spend.block] = purse
        return purse

    def _forget(self, at: Seconds) -> None:
        kept = {
            block: purse
            for block, purse in self._purses.items()
            if purse.reserved or at - purse.touched_at < FORGET_S
        }
        if len(kept) >= PURSES_MAX:
            raise OverflowError(f"{len(kept)} budgets are open")
        self._purses = kept


class Account:
    """One block's money in the treasury."""

    __slots__ = ("leases", "limit", "spent")

    def __init__(self, limit: MicroUsd) -> None:
        self.limit = limit
        self.spent: MicroUsd = 0
        self.leases: dict[int, MicroUsd] = {}

    @property
    def lent(self) -> MicroUsd:
        """What workers have and have not spent, as far as they told."""
        return sum(self.leases.values())

    @property
    def committed(self) -> MicroUsd:
        """What may have been spent, whatever becomes of the workers."""
        return self.spent + self.lent


class Treasury:
    """The control process's side: it lends each block's budget to the workers that spend it.

    `is_kept` = what may have been spent is made durable before it is lent.
    """

    def __init__(self, workers: int) -> None:
        self._workers = max(1, workers)
        self._accounts: dict[str, Account] = {}
        self.is_kept = False

    def restore(self, accounts: Iterable[tuple[str, MicroUsd, MicroUsd]]) -> None:
        """(block, limit, committed) from before this start: all that was committed is spent."""
        self.is_kept = True
        for block, limit, committed in accounts:
            account = self._accounts[block] = Account(limit)
            account.spent = committed

    def account(self, block: str) -> Account | None:
        """A block's account; None = it was never asked for."""
        return self._accounts.get(block)

    def told(self, worker: int, block: str, spent: MicroUsd, returned: MicroUsd) -> None:
        """A worker spent that much of its lease, and gives that much back."""
        account = self._accounts.get(block)
        if account is None:
            return
        lease = account.leases.get(worker, 0)
        # A worker cannot have spent what it was not lent; what it says beyond that is not believed.
        spent = min(spent, lease)
        returned = min(returned, lease - spent)
        account.spent += spent
        account.leases[worker] = lease - spent - returned

    def lend(
        self, worker: int, block: str, limit: MicroUsd, wanted: MicroUsd
    ) -> tuple[MicroUsd, MicroUsd]:
        """(what that worker may spend more, what all others have): at least `wanted` or nothing."""
        account = self._accounts.get(block)
        if account is None:
            if len(self._accounts) >= PURSES_MAX:
                return 0, 0
            account = self._accounts[block] = Account(limit)
        account.limit = min(account.limit, limit)
        left = self.left(block) or 0
        if left < wanted:
            return 0, account.lent - account.leases.get(worker, 0)
        amount = max(wanted, left // (SLICES * self._workers))
        account.leases[worker] = account.leases.get(worker, 0) + amount
        return amount, 0

    def left(self, block: str) -> MicroUsd | None:
        """What is neither spent nor lent; None for a block that was never asked for."""
        account = self._accounts.get(block)
        return None if account is None else account.limit - account.spent - account.lent

    def lost(self, worker: int) -> None:
        """That worker ended: its leases count as spent."""
        for account in self._accounts.values():
            account.spent += account.leases.pop(worker, 0)
