"""`flyball conformance`: does this build agree with a public suite that anyone can fetch?"""

from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from flyball.ledger.suites.cases import Case, Folder

FILES_MAX = 200_000
FILE_BYTES_MAX = 1 << 28
_SHOWN_MAX = 1_000

# name -> (where its cases are judged, what it holds). A suite is one function: Folder -> cases.
SUITES = {
    "rfc6962": ("flyball.ledger.suites.trees:proof_cases", "Merkle proofs (transparency-dev)"),
    "tlog-tiles": ("flyball.ledger.suites.trees:tile_cases", "logs as C2SP tlog-tiles"),
    "signed-note": ("flyball.ledger.suites.notes:note_cases", "C2SP signed notes"),
    "checkpoint": ("flyball.ledger.suites.notes:checkpoint_cases", "C2SP tlog-checkpoint"),
    "cosignature": ("flyball.ledger.suites.notes:cosignature_cases", "C2SP tlog-cosignature v1"),
    "jcs": ("flyball.ledger.suites.canonical:jcs_cases", "RFC 8785, canonical JSON"),
    "wycheproof-ed25519": (
        "flyball.ledger.suites.signatures:wycheproof_cases", "Wycheproof EdDSA, edwards25519",
    ),
    "ed25519-edges": (
        "flyball.ledger.suites.signatures:edge_cases", "ed25519-speccheck and C2SP CCTV",
    ),
    "biscuit": ("flyball.authority.suites.biscuit:biscuit_cases", "Biscuit samples"),
    "cedar": ("flyball.authority.suites.policies:cedar_cases", "Cedar integration tests"),
}  # fmt: skip


@click.command("conformance")
@click.argument("suite", type=click.Choice(list(SUITES)))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(suite: str, folder: Path, output: str) -> None:
    """Run a public conformance SUITE from the folder DIR, in its published layout.

    Prints each failed case and closes with `N passed, M failed`. Exit codes: 0 all passed, 1 one
    failed, 2 the folder cannot be read or holds no case of this suite.
    """
    try:
        read = _folder(folder)
        passed, failed = _judge(suite, read)
    except OSError as error:
        _fail(f"{error.filename or folder} cannot be read: {error.strerror or error}.")
    if not passed and not failed:
        _fail(
            f"{folder} holds no case of {suite} ({SUITES[suite][1]}). "
            "Name the folder that has the suite's files in their published layout."
        )
    if output == "json":
        told = {"suite": suite, "passed": passed, "failed": len(failed), "cases": failed}
        click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        for case in failed[:_SHOWN_MAX]:
            click.echo(f"FAILED {case.name}: {case.problem}")
        click.echo(f"{passed} passed, {len(failed)} failed")
    raise click.exceptions.Exit(1 if failed else 0)


def _judge(suite: str, folder: Folder) -> tuple[int, list[Case]]:
    module, _, name = SUITES[suite][0].partition(":")
    passed, failed = 0, []
    at: list[str] = [""]

    def read(path: str) -> bytes:
        at[0] = path
        return folder.read(path)

    try:
        for case in getattr(import_module(module), name)(Folder(folder.paths, read)):
            if case.problem:
                failed.append(case)
            else:
                passed += 1
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        failed.append(Case(at[0], f"not in the suite's layout ({error!r}); the rest was not run"))
    return passed, failed


def _folder(folder: Path) -> Folder:
    if not folder.is_dir():
        _fail(f"There is no folder {folder}.")
    paths: list[str] = []
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size <= FILE_BYTES_MAX:
            paths.append(path.relative_to(folder).as_posix())
        if len(paths) > FILES_MAX:
            _fail(f"{folder} holds more than {FILES_MAX} files: name the suite's own folder.")
    return Folder(tuple(sorted(paths)), lambda path: (folder / path).read_bytes())


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise click.exceptions.Exit(2)
