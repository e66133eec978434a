"""Does a job's stay begin with what the job brings along, and nothing more?"""

from flyball.model.plant import Job
from flyball.sim.stay import Stay


def test_a_plain_job_has_made_nothing() -> None:
    stay = Stay(1.5, Job("a", 10, 3), 7, (1, 2))
    assert (stay.at, stay.seq, stay.hashes) == (1.5, 7, (1, 2))
    assert (stay.total, stay.computed, stay.generated, stay.blocks) == (10, 0, 0, 0)
    assert not stay.is_ready
    assert stay.finish_step == -1


def test_a_prefilled_job_brings_its_first_token() -> None:
    stay = Stay(0.0, Job("a", 10, 3, prefilled=True), 1, ())
    assert stay.is_ready
    assert (stay.total, stay.generated, stay.reported) == (10, 1, 1)
