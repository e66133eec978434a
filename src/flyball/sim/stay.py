"""What does an engine know of one job inside: what is computed, made, and held?"""

from flyball.model.plant import Job
from flyball.sim.kvcache import Segment
from flyball.units import Seconds, Tokens


class Stay:
    """One admitted or waiting job. `is_ready` = its prompt's KV comes along, the first token too.

    `generated` counts the answer tokens made when it last joined (or left) the decoding jobs,
    `blocks` the KV blocks held, named and unnamed; `finish_step` -1 = it is not decoding.
    """

    __slots__ = (
        "at", "blocks", "computed", "finish_step", "generated", "hashes", "held", "is_ready", "job",
        "joined_step", "published", "reported", "seq", "started", "total",
    )  # fmt: skip

    def __init__(self, at: Seconds, job: Job, seq: int, hashes: tuple[int, ...]) -> None:
        self.at = at
        self.job = job
        self.seq = seq
        self.hashes = hashes
        self.is_ready = job.prefilled
        self.total: Tokens = job.input_tokens  # to compute before the next token can be made
        self.computed: Tokens = 0
        self.generated: Tokens = int(job.prefilled)
        self.reported: Tokens = self.generated
        self.started = False
        self.blocks = 0
        self.held: list[Segment] = []
        self.published = 0  # hashes looked at so far, from the first
        self.joined_step = 0
        self.finish_step = -1
