"""Are policies found in Cedar files, folders and bundles, and is what is none told?"""

from pathlib import Path

import pytest

from flyball.cli.file_shape import CannotUse
from flyball.cli.policy_input import read_policies
from flyball.cli.verify_policy import read_library

PERMIT = '@id("all") permit (principal, action, resource);\n'


def test_texts_are_found_by_their_digest(tmp_path: Path) -> None:
    file = tmp_path / "site.cedar"
    file.write_text(PERMIT)
    digest = read_policies((file,)).digest
    for named in (file, tmp_path):
        assert read_library([named]).authority((digest,)) is not None
        assert read_library([named]).authority(("sha256:x",)) is None


def test_what_is_no_policy_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.cedar").write_text("permit (nonsense")
    (tmp_path / "some.bundle").write_bytes(b"nothing")
    for name in ("bad.cedar", "some.bundle"):
        with pytest.raises(CannotUse, match=name):
            read_library([tmp_path / name])
