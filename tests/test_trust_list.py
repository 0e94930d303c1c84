"""The list of signers that are trusted: what it holds, and how it is renewed."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509

from detector.provenance import renew, signed
from tests.signing import Signer


def test_the_trust_list_is_the_conformance_programmes():
    certificates = x509.load_pem_x509_certificates(signed.TRUST_LIST.read_bytes())
    names = {c.subject.rfc4514_string() for c in certificates}
    assert len(certificates) == 30
    assert any("Google C2PA Root CA G3" in name for name in names)
    assert any("DigiCert" in name for name in names)
    for certificate in certificates:  # each is what it says: its own or another's on the list
        issuer = next((c for c in certificates if c.subject == certificate.issuer), None)
        if issuer:
            certificate.verify_directly_issued_by(issuer)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def served(tmp_path):
    """A folder, and the address under which this machine serves it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_trust_list_is_renewed_whole_or_not_at_all(served, monkeypatch, maker, capsys):
    folder, address = served
    kept = folder / "kept" / "list.pem"
    kept.parent.mkdir()
    kept.write_text(maker.root)
    monkeypatch.setattr(renew, "TRUST_LIST", kept)
    for text in ("", "<html>moved</html>", maker.root.replace("A", "B", 40), maker.root[:300]):
        (folder / "new.pem").write_text(text)
        assert renew.main(f"{address}/new.pem") == 1
        assert kept.read_text() == maker.root
    assert renew.main(f"{address}/none.pem") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.startswith("The trust list could not be renewed and stays") for line in told.err.splitlines()] == [
        *[True] * 5
    ]
    (folder / "new.pem").write_text(new := Signer("Another").root + maker.root)
    assert renew.main(f"{address}/new.pem") == 0
    assert capsys.readouterr().out == "The trust list now has 2 certificates.\n"
    assert kept.read_text() == new
