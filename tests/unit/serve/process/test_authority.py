"""Does a configuration's word on policies and roots become what the core and the gateway ask?"""

from pathlib import Path

from flyball.authority.revocation.signer import key_text
from flyball.model.verdict import Circumstances, Subject
from flyball.serve.process.authority import Shelf, in_force, library, token_desk
from flyball.serve.process.proofs import ProofTable
from support.authority import mandate
from support.configs import config
from support.mandates import ROOT

END = "principals:"

PROOFS = ProofTable(ProofTable.create())


def made(tmp_path: Path, text: str, extra: str = ""):
    (tmp_path / "site.cedar").write_text(text)
    section = f"authority:\n  policies: {{site: {{files: [site.cedar]}}}}\n{extra}"
    return config((END, section + END), folder=tmp_path)


PERMIT = '@id("all") permit (principal, action, resource);\n'
NOT_TALK = PERMIT + (
    '@id("no-secrets") forbid (principal, action, resource) '
    'when { context.dataClass == "special" };\n'
)


def test_the_sets_of_the_file_are_at_hand_and_asked(tmp_path: Path) -> None:
    found = made(tmp_path, NOT_TALK)
    event = in_force(found, 5.0)
    authority = library(found).authority(event.digests)
    assert authority is not None and authority.digests == event.digests
    subject = Subject(action="infer", principal="p", class_name="c", model="m")
    secret = Subject(action="infer", principal="p", class_name="c", model="m", data_class="special")
    from flyball.model.verdict import Place

    place = Place(pool="p", site="s", jurisdiction="EU", tier="edge", accelerator="h100")
    now = Circumstances(at=1.0)
    assert authority.decide(subject, now, place).allowed
    assert authority.decide(secret, now, place).policies == ("no-secrets",)


def test_without_policies_nothing_is_asked() -> None:
    plain = config()
    assert in_force(plain, 5.0).digests == ()
    assert library(plain).authority(("sha256:x",)) is None
    assert token_desk(plain, PROOFS) is None


def test_a_shelf_has_what_the_configuration_in_force_names(tmp_path: Path) -> None:
    one, two = made(tmp_path, PERMIT), made(tmp_path, NOT_TALK)
    shelf = Shelf(one)
    first, second = in_force(one, 1.0).digests, in_force(two, 1.0).digests
    assert shelf.authority(first) is not None and shelf.authority(second) is None
    shelf.replace(two)
    assert shelf.authority(second) is not None


def test_a_root_named_makes_tokens_welcome(tmp_path: Path) -> None:
    roots = f'  roots: {{"1": "{key_text(ROOT.public)}"}}\n'
    assert token_desk(made(tmp_path, PERMIT, roots), PROOFS) is not None
    assert mandate().id
