"""Files signed as C2PA wants it, by signers of our own making."""

import io
import json
from datetime import datetime, timedelta, timezone

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from tests.conftest import EXAMPLES

MIMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff", "AVIF": "image/avif",
         "GIF": "image/gif"}  # fmt: skip
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED, CAPTURED = f"{SOURCE}trainedAlgorithmicMedia", f"{SOURCE}digitalCapture"


class Signer:
    """A root, and a certificate under it that signs for `organisation` (ES256)."""

    def __init__(self, organisation: str = "Example Maker", usage=ExtendedKeyUsageOID.EMAIL_PROTECTION, valid=None):
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        start = datetime.now(timezone.utc) - timedelta(days=1)
        end = start + timedelta(days=30)
        root = _name(f"{organisation} Root")
        authority = (
            x509.CertificateBuilder(root, root, self.root_key.public_key(), x509.random_serial_number(), start, end)
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.root_key.public_key()), critical=False)
            .sign(self.root_key, hashes.SHA256())
        )
        until = datetime.now(timezone.utc) + valid if valid else end
        leaf = (
            x509.CertificateBuilder(
                root, _name(organisation), self.key.public_key(), x509.random_serial_number(), start, until
            )
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(_usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root_key.public_key()), critical=False
            )
            .sign(self.root_key, hashes.SHA256())
        )
        self.root = authority.public_bytes(serialization.Encoding.PEM).decode()
        self.chain = leaf.public_bytes(serialization.Encoding.PEM).decode() + self.root

    def sign(
        self, data: bytes, mime: str, actions: list[dict], generator: str = "Example Generator",
        parent: bytes | None = None, relationship: str = "parentOf", remote: str | None = None, trusting: str = "",
    ) -> bytes:  # fmt: skip
        """`data` with a manifest that says `actions`; `parent`: the file that it was made from, or a part of it by its
        `relationship`, which this signer's program checks against the certificates `trusting`."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, self.chain.encode(), key, None)
        manifest = {
            "claim_generator_info": [{"name": generator, "version": "1.0"}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}],
        }
        out = io.BytesIO()
        settings = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": False}}
        settings |= {"trust": {"trust_anchors": trusting}} if trusting else {}
        builder = c2pa.Builder(json.dumps(manifest), context=c2pa.Context.from_dict(settings))
        if parent:
            kind = {"title": "before", "relationship": relationship, "label": "before"}
            builder.add_ingredient(json.dumps(kind), mime, io.BytesIO(parent))
        if remote:
            builder.set_remote_url(remote)
            builder.set_no_embed()
        builder.sign(c2pa.Signer.from_info(info), mime, io.BytesIO(data), out)
        return out.getvalue()


def created(source_type: str = GENERATED, agent: str = "Example Model") -> list[dict]:
    return [{"action": "c2pa.created", "digitalSourceType": source_type, "softwareAgent": {"name": agent}}]


def edited(action: str = "c2pa.opened", **how: str) -> list[dict]:
    """Of a picture that has a parent, or with "c2pa.placed" a part."""
    return [{"action": action, "parameters": {"ingredientIds": ["before"]}}, {"action": "c2pa.edited", **how}]


def _name(organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, organisation),
        ]
    )


def _usage(sign_certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=sign_certificates, crl_sign=sign_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def picture(kind: str = "JPEG") -> bytes:
    image = Image.open(EXAMPLES / "rocket.jpg").convert("RGB").resize((96, 64))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()
