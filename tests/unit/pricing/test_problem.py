"""Does the problem as data travel, compare, and count its activities in either form?"""

import msgspec
import numpy as np

from flyball.pricing.arrays import pack
from flyball.pricing.problem import Problem
from support.problems import problem_of, rich_problem_of


def test_columns_count_activities_and_are_false_when_there_are_none() -> None:
    index = np.arange(3)
    three = pack(class_index=index, pool_index=index, value_usd=np.ones(3), gpu_s=np.ones(3))
    assert len(three) == 3 and three
    none = pack(class_index=index[:0], pool_index=index[:0], value_usd=np.ones(0), gpu_s=np.ones(0))
    assert len(none) == 0 and not none


def test_a_problem_of_either_kind_is_read_back_from_its_bytes() -> None:
    index = np.arange(4)
    for problem in (problem_of(1, 3, 2, 0.5), rich_problem_of(1, 3, 2, 0.5)):
        packed = pack(class_index=index, pool_index=index, value_usd=np.ones(4), gpu_s=np.ones(4))
        for each in (problem, msgspec.structs.replace(problem, activities=packed)):
            again = msgspec.msgpack.decode(msgspec.msgpack.encode(each), type=Problem)
            assert again == each and type(again.activities) is type(each.activities)
