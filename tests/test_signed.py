"""C2PA: what is signed, by whom, and what a changed byte, an unknown signer or a clock makes of it."""

import io
import multiprocessing
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import c2pa
import pytest
from cryptography import x509
from PIL import Image

from detector import provenance
from detector.provenance import signed
from tests.signing import CAPTURED, MIMES, SOURCE, Signer, created, picture

TIME_STAMPS, OCSP = "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"  # usages that the library lets no claim be signed with


@pytest.mark.parametrize("kind", MIMES)
def test_trusted_unknown_and_tampered_in_every_format(kind, maker, trusting):
    data = maker.sign(picture(kind), MIMES[kind], created())
    found = provenance.read(data)
    assert (found.c2pa, found.side) == ("unknown_signer", "ai")
    (finding,) = found.findings
    assert finding.says == (
        "says that it was made by AI with Example Model; the signature is real, but the signer (Example Maker) is not "
        "on the trust list"
    )
    assert (finding.strength, finding.kind, finding.maker) == ("claimed", "generated", "Example Model")
    trusting(maker)
    found = provenance.read(data)
    assert (found.c2pa, found.side, found.findings[0].strength) == ("trusted", "ai", "signed")
    assert found.line == "it is signed by Example Maker: made by AI with Example Model"
    broken = bytearray(data)
    broken[-40] ^= 1  # one bit of the picture or of what stands behind it
    found = provenance.read(bytes(broken))
    assert (found.c2pa, found.side, found.findings[0].strength) == ("tampered", None, "hinted")
    assert "changed after Example Maker signed it" in found.line
    trusting(Signer("Another"))  # then anybody may have written that name
    assert "changed after somebody who signs as Example Maker signed it" in provenance.read(bytes(broken)).line


def test_a_changed_claim_is_noticed(maker, trusting):
    trusting(maker)
    data = maker.sign(picture(), "image/jpeg", created())
    found = provenance.read(data.replace(b"Example Model", b"Exemple Model"))
    assert found.c2pa == "tampered"
    assert found.side is None


def test_saved_anew_nothing_is_left(maker):
    with Image.open(io.BytesIO(maker.sign(picture(), "image/jpeg", created()))) as image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG")
    found = provenance.read(buffer.getvalue())
    assert (found.c2pa, found.findings) == ("none", ())


def test_a_signature_that_has_run_out(trusting):
    short = Signer("Short", valid=timedelta(seconds=4))
    trusting(short)
    data = short.sign(picture(), "image/jpeg", created())
    assert provenance.read(data).c2pa == "trusted"
    time.sleep(5)
    found = provenance.read(data)
    assert (found.c2pa, found.findings[0].strength, found.side) == ("expired", "claimed", "ai")
    assert "has run out" in found.line


def test_a_camera_is_evidence_of_capture(maker, trusting):
    trusting(maker)
    found = provenance.read(maker.sign(picture(), "image/jpeg", created(CAPTURED, ""), "Camera M11"))
    assert (found.side, found.findings[0].kind) == ("human", "captured")
    assert found.line == "it is signed by Example Maker: taken by a camera with Camera M11"


def test_a_signer_alone_decides_nothing(trusting):
    """Photoshop signs whatever it saves, and so does OpenAI's name on a certificate that anybody can write."""
    openai = Signer("OpenAI")
    trusting(openai)
    found = provenance.read(openai.sign(picture(), "image/jpeg", created(f"{SOURCE}digitalCreation"), "ChatGPT"))
    assert (found.c2pa, found.side, found.findings[0].kind) == ("trusted", None, "other")


def test_a_record_that_breaks_the_rules_is_worth_little(maker, trusting):
    trusting(maker)
    found = provenance.read(maker.sign(picture(), "image/jpeg", [{"action": "c2pa.created"}]))
    assert (found.c2pa, found.side, found.findings[0].strength) == ("unknown_signer", None, "hinted")
    assert "breaks the rules of C2PA" in found.line
    assert "trust list" not in found.line


@pytest.mark.parametrize("usage", sorted(set(signed.USAGES) - {TIME_STAMPS, OCSP}))
def test_every_usage_of_the_conformance_programme_is_accepted(usage, trusting):
    other = Signer("Documents", usage=x509.ObjectIdentifier(usage))
    trusting(other)
    assert provenance.read(other.sign(picture(), "image/jpeg", created())).c2pa == "trusted"


def test_nobody_is_asked(maker, trusting):
    """A manifest that lies elsewhere is fetched by the library unless it is told not to; the address here is ours."""
    trusting(maker)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/manifests/1"
        data = maker.sign(picture(), "image/jpeg", created(), remote=address)
        assert address.encode() in data
        found = provenance.read(data)
        with pytest.raises(TimeoutError):
            server.accept()
        # The listener can hear: with the library's own settings it is asked.
        asking = threading.Thread(target=_fetch, args=(data,), daemon=True)
        asking.start()
        server.settimeout(10)
        server.accept()[0].close()
        asking.join()
    assert found.c2pa is None
    assert found.problems == ("Its C2PA record lies on a server, which is not asked.",)


def _fetch(data: bytes) -> None:
    with pytest.raises(c2pa.C2paError):
        c2pa.Reader("image/jpeg", io.BytesIO(data), context=c2pa.Context.from_dict({"version": 1}))


@pytest.mark.parametrize("group", ["core", "trust", "verify"])
def test_settings_are_spelt_as_the_library_has_them(group):
    """It ignores names that it does not know, and refuses a wrong type under those that it does."""
    for key in signed.settings("")[group]:
        with pytest.raises(c2pa.C2paError):
            c2pa.Context.from_dict({"version": 1, group: {key: {"wrong": "type"}}})
    c2pa.Context.from_dict({"version": 1, group: {"no_such_setting": {"wrong": "type"}}})


def _in_child(data: bytes, answers) -> None:
    answers.put(provenance.read(data).c2pa)


def test_a_forked_process_reads_too(maker, trusting):
    trusting(maker)
    data = maker.sign(picture(), "image/jpeg", created())
    assert provenance.read(data).c2pa == "trusted"
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_in_child, args=(data, answers))
    child.start()
    assert answers.get(timeout=30) == "trusted"
    child.join()


def test_threads_do_not_mix_files_up(maker, trusting):
    trusting(maker)
    files = [maker.sign(picture(), "image/jpeg", created(agent=f"Model {i}")) for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: provenance.read(files[i % 16]).findings[0].maker, range(160)))
    assert found == [f"Model {i % 16}" for i in range(160)]


def test_broken_records_are_said_in_a_sentence(maker):
    data = maker.sign(picture(), "image/jpeg", created())
    start = data.index(b"jumb")
    for place in range(start - 4, start + 400, 7):
        broken = bytearray(data)
        broken[place] ^= 0xFF
        found = provenance.read(bytes(broken))  # raises nothing
        assert found.c2pa in ("tampered", "unknown_signer", "none", None)
        assert found.c2pa is not None or len(found.problems) == 1


def test_names_in_a_manifest_cannot_command_a_terminal(maker):
    data = maker.sign(picture(), "image/jpeg", created(agent="\x1b[31mred\u202e" + "A" * 500))
    (finding,) = provenance.read(data).findings
    assert finding.maker == "[31mred" + "A" * 73


def test_without_the_library_it_is_said(maker, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    data = maker.sign(picture(), "image/jpeg", created())
    found = provenance.read(data)
    assert found.c2pa is None
    assert found.problems == ("It may hold a C2PA record, which needs the package c2pa-python to be read.",)
    assert provenance.read(picture()).c2pa == "none"
