"""How many jobs decode, what do they hold, and how many KV blocks will their next steps need?

Each decoding job gains one token a step, so it needs a new block in every `block_tokens`-th step:
in the steps of one residue of the step counter. Jobs are therefore counted by residue, and the
blocks for any number of steps are whole rounds plus one slice. Shared by `Engine` and `replay`.
"""

from flyball.units import Tokens


class Batch:
    """The decoding jobs in sum: `seqs` of them hold `kv_tokens`; `step` counts all steps so far."""

    __slots__ = ("_block", "crossing", "kv_tokens", "seqs", "step")

    def __init__(self, block_tokens: Tokens) -> None:
        self._block = block_tokens
        self.crossing = [0] * (2 * block_tokens)  # twice over: a run of residues is one slice
        self.step = self.seqs = self.kv_tokens = 0

    def join(self, computed: Tokens) -> None:
        """A job with so many tokens in the cache decodes from the next step on."""
        self.seqs += 1
        self.kv_tokens += computed
        residue = (self.step - computed) % self._block
        self.crossing[residue] += 1
        self.crossing[residue + self._block] += 1

    def leave(self, computed: Tokens) -> None:
        """A job that has now so many tokens in the cache decodes no more."""
        self.seqs -= 1
        self.kv_tokens -= computed
        residue = (self.step - computed) % self._block
        self.crossing[residue] -= 1
        self.crossing[residue + self._block] -= 1

    def needed(self) -> int:
        """Blocks that the next step needs."""
        return self.crossing[self.step % self._block]

    def growth(self, steps: int) -> int:
        """Blocks that the `steps` steps after the next one need."""
        block = self._block
        first = (self.step + 1) % block
        part = sum(self.crossing[first : first + steps % block])
        return steps // block * self.seqs + part

    def fitting(self, steps: int, free: int) -> int:
        """How many of the next `steps` steps `free` blocks allow; the first one is paid for."""
        block, seqs = self._block, self.seqs
        if steps < 2 or seqs * ((steps - 2) // block + 1) <= free:
            return steps
        rounds = free // seqs
        fit = 1 + rounds * block
        free -= rounds * seqs
        while fit < steps:
            free -= self.crossing[(self.step + fit) % block]
            if free < 0:
                break
            fit += 1
        return min(steps, fit)

    def pass_by(self, steps: int) -> Tokens:
        """So many steps are done; the tokens they made."""
        made = steps * self.seqs
        self.step += steps
        self.kv_tokens += made
        return made
