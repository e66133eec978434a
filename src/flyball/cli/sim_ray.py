"""How do runs share many machines? (Ray, an extra: `flyball sweep --on ray` or `ray://HOST:PORT`)

Only data crosses: the checked plan and the bytes of the files that it reads, so no machine needs a
share of the disk; and this package itself, so that every machine runs this version. The machines
need its dependencies. A run gives the same bytes here and there.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from flyball.cli import sim_input
from flyball.cli.sim_input import Plan

HERE = "here"
_REMEDY = (
    "Start one with `ray start --head`, set RAY_AUTH_TOKEN if it asks for a token, or take "
    "`--on here`"
)


def checked(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """`here`, `ray` or `ray://HOST:PORT`, and that Ray can be had where it is asked for."""
    if value == HERE:
        return value
    if value != "ray" and not value.startswith("ray://"):
        raise click.BadParameter(f"{value!r} is none of here, ray, ray://HOST:PORT")
    if find_spec("ray") is None:
        raise click.UsageError(f"--on {value} needs Ray: pip install 'flyball[ray]'")
    return value


class RayPool:
    """Submits functions to a Ray cluster; what they return comes as a future."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def share(self, value: object) -> Any:
        """Put `value` where every machine can fetch it once; give the result as an argument."""
        return self._ray.put(value)

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Run it on one core somewhere; not again if it fails, since it would fail again."""
        remote = self._ray.remote(num_cpus=1, max_retries=0)(function)
        return remote.remote(*arguments).future()


@contextmanager
def pool(where: str, jobs: int | None) -> Iterator[RayPool]:
    """Join the cluster at `where`; "ray" = that of $RAY_ADDRESS, else one of this machine alone.

    `jobs` bounds a cluster that is started here. ClickException where none answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray  # pyright: ignore[reportMissingImports]

    told: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if where != "ray":
        told["address"] = where
    elif "RAY_ADDRESS" not in os.environ:
        told |= {"address": "local", "include_dashboard": False}
        told |= {} if jobs is None else {"num_cpus": jobs}
    package = Path(sim_input.__file__).parents[1]
    try:
        ray.init(runtime_env={"py_modules": [str(package)]}, **told)
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise click.ClickException(f"--on {where}: no Ray cluster ({said[0]}). {_REMEDY}") from None
    try:
        yield RayPool(ray)
    except KeyboardInterrupt:
        raise click.Abort() from None
    finally:
        ray.shutdown()


def contents(plan: Plan) -> dict[str, bytes]:
    """The files that a run of the plan reads, by the name that the scenario gives them.

    CannotSimulate where one cannot be read.
    """
    found: dict[str, bytes] = {}
    for name in plan.files():
        place = Path(plan.folder) / name
        try:
            found[name] = place.read_bytes()
        except OSError as error:
            text = f"cannot read {place}: {error.strerror or error}"
            raise sim_input.CannotSimulate(text) from None
    return found


def run_shipped(plan: Plan, files: dict[str, bytes]) -> bytes:
    """One run on another machine; its report as JSON, the bytes that `sim_pool.run_one` gives."""
    with TemporaryDirectory(prefix="flyball-") as folder:
        places: dict[str, str] = {}
        for number, (name, content) in enumerate(files.items()):
            place = Path(folder) / f"{number}-{Path(name).name}"
            place.write_bytes(content)
            places[name] = str(place)
        return sim_input.reported(plan.moved(places))
