"""What does a class say of itself that is not written down?"""

from flyball.model.request import Promise, RequestClass


def test_the_wait_at_the_gate_is_half_of_the_promised_first_token_unless_it_is_set() -> None:
    promise = Promise(ttft_s=1.0)
    assert RequestClass(name="chat", promise=promise).gate_s_max == 0.5
    assert RequestClass(name="chat", promise=promise, queue_s_max=0.0).gate_s_max == 0.0
    assert RequestClass(name="batch", promise=promise, queue_s_max=30.0).gate_s_max == 30.0
    assert RequestClass(name="free").gate_s_max == 0.0
