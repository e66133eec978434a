"""How many CPU seconds does Dynamo's mocker replay take for a trace? (Run in its own environment.)

    .envs/dynamo/bin/python bench/rival_dynamo.py TRACE.jsonl WORKERS BLOCK_TOKENS

Its KV router and its mocked engines with their own defaults, offline (simulated time), from a
Mooncake trace. CPU seconds of all its threads and seconds of the wall go to stdout as JSON.
"""

import json
import sys
import time

from dynamo.replay import run_trace_replay


def main(trace: str, workers: str, block_tokens: str) -> None:
    """One replay."""
    wall, begun = time.perf_counter(), time.process_time()
    told = run_trace_replay(
        trace,
        num_workers=int(workers),
        router_mode="kv_router",
        trace_block_size=int(block_tokens),
    ).summary
    spent = {"cpu_s": time.process_time() - begun, "wall_s": time.perf_counter() - wall}
    print(json.dumps({**spent, "requests": told["completed_requests"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
