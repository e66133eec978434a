"""What do Open Inference Protocol servers tell: Triton without an LLM backend, MLServer?

Triton (docs: user_guide/metrics): `nv_inference_pending_request_count` per model and version. Its
`nv_inference_exec_count` counts executions since the start, so it is not taken as requests running.
MLServer (docs: user-guide/metrics): `rest_server_requests_in_progress` per method, of which POST
counts (inference; a GET is health or metadata).
"""

from flyball.dialects.exposition import count, read_samples, total
from flyball.model.signals import EngineSample

_PENDING = b"nv_inference_pending_request_count"
_IN_PROGRESS = b"rest_server_requests_in_progress"
_WANTED = frozenset((_PENDING, _IN_PROGRESS))


def read(page: bytes) -> EngineSample:
    """One reading; a figure that is absent or no number is None."""
    found = read_samples(page, _WANTED)
    infers = [
        sample for sample in found.get(_IN_PROGRESS, ()) if sample.label(b"method") == b"POST"
    ]
    return EngineSample(
        waiting=count(total(found.get(_PENDING, ()))),
        running=count(total(infers)),
    )
