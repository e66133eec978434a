"""Do the plant's nouns keep their shape where others write and read them?"""

import msgspec
import pytest

from flyball.model.plant import Job, Progress


def test_a_report_survives_json_and_its_kind_is_checked() -> None:
    report = Progress("first-token", "a", 1.5, 1)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Progress) == report
    with pytest.raises(msgspec.ValidationError, match="kind"):
        msgspec.json.decode(b'{"kind":"lost","job":"a","at":1,"tokens":0}', type=Progress)


def test_a_job_cannot_change_on_its_way() -> None:
    job = Job("a", 10, 5)
    assert (job.block_hashes, job.priority) == ((), 0)
    with pytest.raises(AttributeError):
        job.priority = 1  # pyright: ignore[reportAttributeAccessIssue]
