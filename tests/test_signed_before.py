"""C2PA: what the records of the pictures say that a picture was made from, and what that is worth."""

import pytest

from detector import provenance
from tests.signing import CAPTURED, GENERATED, SOURCE, Signer, created, edited, picture


def test_what_a_picture_was_made_from_is_followed(maker, trusting):
    editor = Signer("Editor")
    first = maker.sign(picture(), "image/jpeg", created())
    data = editor.sign(picture(), "image/jpeg", edited(), "Photo Editor", parent=first)
    trusting(editor, maker)
    found = provenance.read(data)
    assert (found.c2pa, found.side) == ("trusted", "ai")
    assert [(f.kind, f.strength, f.maker) for f in found.findings] == [
        ("generated", "signed", "Example Model"), ("edited", "signed", "Photo Editor"),
    ]  # fmt: skip
    trusting(editor)  # who does not know the maker: so a trusted editor's word for it is a claim
    found = provenance.read(data)
    assert [(f.kind, f.strength) for f in found.findings] == [("edited", "signed"), ("generated", "claimed")]
    trusting(maker)  # an unknown editor may have put any manifest beside any picture
    found = provenance.read(data)
    assert found.c2pa == "unknown_signer"
    assert {f.strength for f in found.findings} == {"claimed"}


def test_a_maker_whom_the_editors_program_trusted_too_is_trusted(maker, trusting):
    """Such a file says so itself, and the library tells only where it finds otherwise."""
    editor = Signer("Editor")
    first = maker.sign(picture(), "image/jpeg", created())
    data = editor.sign(picture(), "image/jpeg", edited(), "Photo Editor", parent=first, trusting=maker.root)
    trusting(editor, maker)
    assert [(f.kind, f.strength) for f in provenance.read(data).findings] == [
        ("generated", "signed"), ("edited", "signed"),
    ]  # fmt: skip
    trusting(editor)
    assert [(f.kind, f.strength) for f in provenance.read(data).findings] == [
        ("edited", "signed"), ("generated", "claimed"),
    ]  # fmt: skip


def test_a_record_that_was_changed_further_back_is_tampered(maker, trusting):
    editor = Signer("Editor")
    first = maker.sign(picture(), "image/jpeg", created())
    data = editor.sign(picture(), "image/jpeg", edited(), "Photo Editor", parent=first)
    trusting(editor, maker)
    found = provenance.read(data.replace(b"Example Model", b"Exemple Model"))
    assert (found.c2pa, found.side, len(found.findings)) == ("tampered", None, 1)
    assert "Exemple" not in found.line


def test_what_ai_has_changed_is_no_longer_what_a_camera_took(maker, trusting):
    editor = Signer("Editor")
    trusting(editor, maker)
    capture = maker.sign(picture(), "image/jpeg", created(CAPTURED, ""), "Camera")
    plain = editor.sign(picture(), "image/jpeg", edited(), "Photo Editor", parent=capture)
    assert provenance.read(plain).side == "human"
    filled = edited(digitalSourceType=f"{SOURCE}compositeWithTrainedAlgorithmicMedia")
    found = provenance.read(editor.sign(picture(), "image/jpeg", filled, "Photo Editor", parent=capture))
    assert found.side is None
    assert [(f.kind, f.short) for f in found.findings] == [
        ("edited", "made by AI in part"), ("other", "taken by a camera"),
    ]  # fmt: skip
    assert found.findings[1].says.startswith("was made from a picture that is signed by Example Maker: taken by")


@pytest.mark.parametrize(("source", "kinds"), [(GENERATED, ["edited", "edited"]), (CAPTURED, ["edited"])])
def test_a_part_is_not_the_whole(maker, trusting, source, kinds):
    editor = Signer("Editor")
    trusting(editor, maker)
    part = maker.sign(picture(), "image/jpeg", created(source))
    actions = created(f"{SOURCE}digitalCreation") + edited("c2pa.placed")
    data = editor.sign(picture(), "image/jpeg", actions, "Collage", parent=part, relationship="componentOf")
    found = provenance.read(data)
    assert (found.c2pa, found.side, [f.kind for f in found.findings]) == ("trusted", None, kinds)
    assert [f.says.startswith("holds a part that is signed by Example Maker") for f in found.findings[1:]] == [
        True for _ in kinds[1:]
    ]


def test_a_tampered_picture_does_not_become_sound_by_being_edited(maker, trusting):
    editor = Signer("Editor")
    first = bytearray(maker.sign(picture(), "image/jpeg", created()))
    first[-40] ^= 1
    trusting(editor, maker)
    found = provenance.read(editor.sign(picture(), "image/jpeg", edited(), "Photo Editor", parent=bytes(first)))
    assert found.c2pa == "trusted"
    assert found.side is None
