"""Is a bundle's archive one spelling of its files, and every other refused?"""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.bundles.archive import (
    BUNDLE_BYTES_MAX,
    FILE_BYTES_MAX,
    NAMES,
    BundleError,
    check_whole_size,
    pack,
    unpack,
)

FILES = {"manifest.json": b"{}", "policies.cedar": b"permit (principal, action, resource);"}


def tar(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for entry, data in entries:
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def refused(data: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        unpack(data)
    return f"{caught.value.code}: {caught.value}"


@given(st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=2000), min_size=1))
def test_what_is_packed_is_unpacked_and_order_of_giving_is_nothing(files: dict) -> None:
    data = pack(files)
    assert unpack(data) == files
    assert pack(dict(reversed(files.items()))) == data


def test_any_tar_program_can_read_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(FILES))) as archive:
        assert archive.getnames() == list(FILES)
        found = archive.getmember("manifest.json")
        assert (found.mtime, found.uid, found.uname, found.mode) == (0, 0, "", 0o644)


@pytest.mark.parametrize(
    "name", ["../manifest.json", "/etc/passwd", "a/../manifest.json", "./manifest.json", "x.json"]
)
def test_no_name_leads_anywhere(name: str) -> None:
    assert "has no place in a bundle" in refused(tar((entry(name), b"{}")))


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.DIRTYPE, "no place in a bundle"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"7", "of type"),
    ],
)
def test_only_plain_files(kind: bytes, word: str) -> None:
    made = entry("manifest.json", kind, linkname="/etc/passwd")
    assert word in refused(tar((made, b"")))


def test_extended_headers_are_refused() -> None:
    made = entry("manifest.json", pax_headers={"path": "../../etc/passwd"})
    assert "archive: " in refused(tar((made, b"{}"), form=tarfile.PAX_FORMAT))
    long = entry("x" * 200)
    assert "archive: " in refused(tar((long, b"{}"), form=tarfile.GNU_FORMAT))


def test_no_file_stands_in_it_twice() -> None:
    twice = tar((entry("manifest.json"), b"{}"), (entry("manifest.json"), b"[]"))
    assert "stands in it twice" in refused(twice)


@pytest.mark.parametrize("field", ["mtime", "uid", "gid", "mode", "uname"])
def test_headers_say_nothing_of_their_own(field: str) -> None:
    made = entry("manifest.json", **{field: "root" if field == "uname" else 7})
    assert "headers, order or padding" in refused(tar((made, b"{}")))


def test_order_padding_and_tail_are_fixed() -> None:
    turned = tar(*((entry(name), FILES[name]) for name in reversed(FILES)))
    assert "headers, order or padding" in refused(turned)
    data = pack(FILES)
    assert "headers, order or padding" in refused(data + b"\0" * 512)
    assert "headers, order or padding" in refused(data[:-1] + b"x")


@pytest.mark.parametrize("data", [b"", b"\0" * 10240, b"not a tar", b"PK\3\4" * 200])
def test_what_is_no_archive_is_told_so(data: bytes) -> None:
    assert refused(data).startswith("archive: ")


def test_every_length_short_of_it_is_refused() -> None:
    data = pack(FILES)
    for length in range(0, len(data), 37):
        refused(data[:length])


def test_sizes_are_bounded_before_anything_is_read() -> None:
    made = entry("manifest.json")
    made.size = FILE_BYTES_MAX + 1
    assert refused(made.tobuf(tarfile.USTAR_FORMAT)).startswith("oversized: ")
    made.size = 8**11 - 1
    assert refused(made.tobuf(tarfile.USTAR_FORMAT)).startswith("oversized: ")
    with pytest.raises(BundleError):
        pack({"manifest.json": b"x" * (FILE_BYTES_MAX + 1)})
    with pytest.raises(BundleError):
        check_whole_size(BUNDLE_BYTES_MAX + 1)


def test_a_size_in_base_256_is_no_size() -> None:
    block = bytearray(entry("manifest.json").tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = b"\x80" + b"\0" * 10 + b"\x02"
    assert refused(bytes(block) + b"\0" * 1024).startswith("archive: ")
    block[124:136] = b"-1".rjust(12)
    assert refused(bytes(block) + b"\0" * 1024).startswith("archive: ")
