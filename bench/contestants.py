"""Who stands between load and engines, and how is each started?

Rivals run with their default options, static workers and one worker process; what is set besides is
only what keeps connections open and logs quiet. Each `start` writes its files into a folder and
returns the command line.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import rig
import rivals

HERE = Path(__file__).parent
OURS = "flyball"


@dataclass(frozen=True)
class Contestant:
    """`engines` = how many it chooses among; `is_router` = a Rust router of this field; `stretch` =
    how many times longer it is measured, where a second holds too few answers."""

    name: str
    start: Callable[[Path, list[int], int], list[str]]
    engines: int = 8
    is_router: bool = False
    stretch: float = 1.0


def flyball(folder: Path, engines: list[int], port: int) -> list[str]:
    """`flyball serve` as a user runs it: a key, a class, a ledger on disk, engines scraped."""
    file = folder / "fleet.yaml"
    file.write_text(fleet(engines))
    return [sys.executable, "-m", "flyball", "serve", str(file), "--port", str(port)]


def fleet(engines: list[int]) -> str:
    """The fleet file of a benchmark: one pool with these ports, one principal, one class.

    The mock has no engine's timing, so predictions are off and a real gateway would place by its
    fall-back rule; that guard is opened here, so that the price rule is what is measured.
    """
    digest = sha256(rig.KEY.encode()).hexdigest()
    urls = "".join(f"      - http://127.0.0.1:{port}\n" for port in engines)
    return (
        "version: v1\n"
        "sites: {here: {jurisdiction: EU}}\n"
        "pools:\n"
        "  pool:\n"
        "    site: here\n    engine: vllm\n    profile: cpu/onnx-small\n"
        f"    models: [{rig.MODEL}]\n    endpoints:\n{urls}"
        "classes: {chat: {value_usd: 0.05, ttft_ms: 2000, deadline_s: 60}}\n"
        f"principals: {{bench: {{key_sha256: {digest}}}}}\n"
        "pricing: {mispredict_ratio_max: 1000}\n"
        "ledger: {folder: ledger}\n"
    )


def bare(folder: Path, engines: list[int], port: int) -> list[str]:
    """The same gateway with the core off: round robin, no records, no scraping."""
    file = folder / "fleet.yaml"
    file.write_text(fleet(engines))
    return [sys.executable, str(HERE / "bare_gateway.py"), str(file), str(port)]


def nginx(folder: Path, engines: list[int], port: int) -> list[str]:
    """One worker, connections kept on both sides, answers passed on at once as streams need it."""
    servers = "".join(f"    server 127.0.0.1:{engine};\n" for engine in engines)
    temporary = "".join(
        f"  {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"worker_processes 1;\ndaemon off;\npid {folder}/nginx.pid;\n"
        "events { worker_connections 4096; }\n"
        f"http {{\n{temporary}  access_log off;\n  keepalive_requests 100000000;\n"
        f"  upstream engines {{\n{servers}    keepalive 128;\n"
        "    keepalive_requests 100000000;\n  }\n"
        f"  server {{\n    listen 127.0.0.1:{port};\n    location / {{\n"
        "      proxy_pass http://engines;\n      proxy_http_version 1.1;\n"
        '      proxy_set_header Connection "";\n      proxy_buffering off;\n    }\n  }\n}\n'
    )
    words = ["-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error.log")]
    return [rivals.nginx(), *words]


def envoy(folder: Path, engines: list[int], port: int) -> list[str]:
    """One listener, one static cluster, the router filter."""
    listener = {
        "address": _address(port),
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network."
                "http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "bench",
                "route_config": {"virtual_hosts": [{
                    "name": "all", "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "engines"}}],
                }]},
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters."
                                     "http.router.v3.Router"},
                }],
            },
        }]}],
    }  # fmt: skip
    endpoints = [{"endpoint": {"address": _address(engine)}} for engine in engines]
    cluster = {
        "name": "engines",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "engines",
            "endpoints": [{"lb_endpoints": endpoints}],
        },
    }
    file = folder / "envoy.json"
    file.write_text(
        json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})
    )
    program = str(rivals.environment("envoy") / "bin" / "envoy")
    return [program, "-c", str(file), "--concurrency", "1", "-l", "error", "--use-dynamic-base-id"]


def sglang_router(folder: Path, engines: list[int], port: int) -> list[str]:
    """Regular mode."""
    python = str(rivals.environment("sglang-router") / "bin" / "python")
    words = [python, "-m", "sglang_router.launch_router", *_listen(port), *_metrics()]
    return [*words, "--log-level", "error", "--worker-urls", *_urls(engines)]


def smg(folder: Path, engines: list[int], port: int) -> list[str]:
    """Regular mode."""
    program = str(rivals.environment("smg") / "bin" / "smg")
    words = [program, "launch", *_listen(port), *_metrics(), "--log-level", "error"]
    return [*words, "--worker-urls", *_urls(engines)]


def vllm_router(folder: Path, engines: list[int], port: int) -> list[str]:
    """Regular mode."""
    program = str(rivals.environment("vllm-router") / "bin" / "vllm-router")
    words = [program, *_listen(port), *_metrics(), "--log-level", "error"]
    return [*words, "--worker-urls", *_urls(engines)]


def litellm(folder: Path, engines: list[int], port: int) -> list[str]:
    """One worker, no database, one key: it does not start without."""
    models = [
        {
            "model_name": rig.MODEL,
            "litellm_params": {
                "model": f"openai/{rig.MODEL}",
                "api_base": f"http://127.0.0.1:{engine}/v1",
                "api_key": "none",
            },
        }
        for engine in engines
    ]
    file = folder / "litellm.json"
    settings = {"master_key": rig.KEY}
    file.write_text(json.dumps({"model_list": models, "general_settings": settings}))
    program = str(rivals.environment("litellm") / "bin" / "litellm")
    return [program, "--config", str(file), *_listen(port), "--num_workers", "1"]


GOVERNED = Contestant(f"{OURS}, governed, 8 engines", flyball)
GOVERNED_64 = Contestant(f"{OURS}, governed, 64 engines", flyball, engines=64)
CORE_OFF = Contestant(f"{OURS}, core off", bare)
NGINX = Contestant("nginx", nginx)
ENVOY = Contestant("Envoy", envoy)
SGLANG = Contestant("sglang-router", sglang_router, is_router=True)
SMG = Contestant("smg", smg, is_router=True)
VLLM = Contestant("vllm-router", vllm_router, is_router=True)
LITELLM = Contestant("LiteLLM proxy", litellm, stretch=4.0)


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _listen(port: int) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(port)]


def _metrics() -> list[str]:
    """A port of its own for the metrics page, as two runs may meet on one machine."""
    return ["--prometheus-port", str(rig.free_ports(1))]


def _urls(engines: list[int]) -> list[str]:
    return [f"http://127.0.0.1:{port}" for port in engines]
