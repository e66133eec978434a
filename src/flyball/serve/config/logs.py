"""Where do records of one jurisdiction go, and are the files of all logs apart from each other?"""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from flyball.serve.config.text import Document
from flyball.serve.log.vault import read_master
from flyball.serve.log.writer import LedgerError

Text = Annotated[str, Meta(min_length=1)]


class JurisdictionLogSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log of what runs in one jurisdiction."""

    folder: Annotated[Text, Meta(description="Folder of the log; relative to the fleet file.")]
    origin: Annotated[
        Text | None,
        Meta(description="Name of an unsigned log. With `keys` it is the name of the keys."),
    ] = None
    keys: Annotated[
        tuple[Text, ...],
        Meta(max_length=4, description="Key files with which its checkpoints are signed."),
    ] = ()
    trust: Annotated[
        Text | None, Meta(description="Trust policy: which witnesses must cosign it.")
    ] = None
    mirror: Annotated[Text | None, Meta(description="Object storage that gets a copy of it.")] = (
        None
    )
    vault: Annotated[
        Text | None, Meta(description="Keys and sealed texts of what ran there. Absent = ledger's.")
    ] = None


def log_within(section: JurisdictionLogSection, base: Path) -> JurisdictionLogSection:
    """With its paths taken from the folder of the fleet file."""
    return msgspec.structs.replace(
        section,
        folder=str(base / section.folder),
        keys=tuple(str(base / key) for key in section.keys),
        trust=str(base / section.trust) if section.trust else None,
        vault=str(base / section.vault) if section.vault else None,
    )


def check_logs(
    own: str, places: dict[str, JurisdictionLogSection], sites: set[str], document: Document
) -> None:
    """Note logs in or under each other's folder, and those of a jurisdiction without a site."""
    folders = {"ledger.folder": Path(own)}
    for name, section in places.items():
        path = ("ledger", "jurisdictions", name)
        folder = Path(section.folder)
        for owner, other in folders.items():
            if folder == other or folder in other.parents or other in folder.parents:
                step = "Give each log a folder of its own, not within another one's."
                document.fault((*path, "folder"), f"{owner} is {other} already", step)
        folders[f"ledger.jurisdictions.{name}"] = folder
        if name not in sites:
            step = "Correct the name, or remove the log."
            document.fault(path, f"no site has the jurisdiction {name!r}", step, at="key")


def check_texts(commit: bool, seal: bool, master: str | None, document: Document) -> None:
    """Note what commitments to texts lack; `master` = the path of the key."""
    if seal and not commit:
        step = "Say `commit: true` too: what is sealed is committed to."
        document.fault(("ledger", "seal"), "texts are sealed, but not committed to", step)
    if not commit:
        return
    if master is None:
        step = "Make one with `flyball erase --new-master FILE` and name it in `ledger.master`."
        document.fault(("ledger", "commit"), "commitments need a master key", step)
        return
    try:
        read_master(Path(master))
    except LedgerError as fault:
        what, _, step = str(fault).partition(". ")
        document.fault(("ledger", "master"), what, step)
    except ModuleNotFoundError:
        step = "pip install 'flyball[governance]', or take `ledger.commit` out."
        document.fault(("ledger", "commit"), "the cipher is not installed", step)
