"""Are the blocks that a batch says it will need those that its jobs need one by one?"""

import random

import pytest

from flyball.sim.batch import Batch


def blocks(tokens: int, block: int) -> int:
    return -(-tokens // block)


@pytest.mark.parametrize("seed", range(20))
def test_growth_is_that_of_single_jobs(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    block = chance.choice([1, 2, 4, 16])
    batch = Batch(block)
    jobs: list[int] = []
    for _ in range(200):
        act = chance.random()
        if act < 0.4 or not jobs:
            jobs.append(chance.randint(1, 100))
            batch.join(jobs[-1])
        elif act < 0.6:
            batch.leave(jobs.pop(chance.randrange(len(jobs))))
        else:
            steps = chance.randint(1, 50)
            first = sum(blocks(job + 1, block) - blocks(job, block) for job in jobs)
            later = sum(blocks(job + steps, block) - blocks(job + 1, block) for job in jobs)
            assert batch.needed() == first
            assert batch.growth(steps - 1) == later
            for free in (later - 1, later, later + 7):
                fit = batch.fitting(steps, max(0, free))
                assert batch.growth(fit - 1) <= max(0, free)
                assert fit == steps or batch.growth(fit) > max(0, free)
            assert batch.pass_by(steps) == steps * len(jobs)
            jobs = [job + steps for job in jobs]
        assert (batch.seqs, batch.kv_tokens) == (len(jobs), sum(jobs))
