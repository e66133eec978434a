"""Is every bound of the data plane a real one?"""

from math import isfinite

import msgspec

from flyball.serve.config.limits import Limits


def test_every_default_is_positive_and_finite() -> None:
    values = msgspec.structs.asdict(Limits())
    assert all(isfinite(value) and value > 0 for value in values.values())


def test_one_body_and_one_head_fit_into_what_may_be_held() -> None:
    limits = Limits()
    assert limits.head_bytes_max < limits.body_bytes_max < limits.buffered_bytes_max
    assert limits.head_s_max <= limits.body_s_max
