"""What a file's C2PA manifest says, who signed it, and whether the signature holds (C2PA 2.2, validation).

Read by the library c2pa-python, which is told to ask nobody: no manifest is fetched, no certificate looked up. The
signers that are trusted are those on the C2PA conformance programme's list, which lies beside this file.
"""

import functools
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from detector.provenance.finding import KINDS, SOURCE_TYPES, Finding

TRUST_LIST = Path(__file__).with_name("C2PA-TRUST-LIST.pem")
# What a signer's certificate may be for; the library alone would refuse all but the first and the third (FAQ of C2PA's
# conformance programme): e-mail, documents, time stamps, OCSP, C2PA's own, Microsoft's documents.
USAGES = (
    *("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"),
    *("1.3.6.1.4.1.62558.2.1", "1.3.6.1.4.1.311.76.59.1.9"),
)
MAX_MANIFESTS = 30  # that are followed from the newest back
MAX_NAME = 80  # characters of a name that a manifest gives
_TAMPERED = ("assertion.missing", "claim.missing", "claim.hardBindings.missing")  # and whatever ends in .mismatch
# Actions that leave what a picture shows as it was; others edit it (C2PA 2.2, 18.15).
_HARMLESS = {"created", "opened", "placed", "published", "repackaged", "transcoded", "converted", "watermarked"}


class Signed(NamedTuple):
    """A file's manifests in a word, what they say, and what could not be read."""

    c2pa: str | None  # trusted, unknown_signer, tampered, expired, none; None where that cannot be told
    findings: list[Finding]
    problem: str = ""


def signed_by(data: bytes, mime: str) -> Signed:
    """What the manifests of a file say. Never asks another host; needs the whole, untouched file."""
    if b"c2pa" not in data:  # the name of the box that all manifests lie in
        return Signed("none", [])
    try:
        import c2pa
    except (ImportError, OSError, RuntimeError):  # no wheel for this system, or one whose library does not load
        return Signed(None, [], "It may hold a C2PA record, which needs the package c2pa-python to be read.")
    try:
        reader = c2pa.Reader.try_create(mime, io.BytesIO(data), context=_context(os.getpid()))
        if reader is None:
            return Signed("none", [])
        with reader:
            store = json.loads(reader.json())
    except c2pa.C2paError.NotSupported:
        return Signed("none", [])
    except c2pa.C2paError as error:
        if str(error).startswith("Remote"):
            return Signed(None, [], "Its C2PA record lies on a server, which is not asked.")
        return Signed(None, [], "It holds a C2PA record that cannot be read.")
    return _told(store)


@functools.cache
def _context(process: int) -> "c2pa.Context":  # noqa: F821 - imported by the caller
    """One for each process: after a fork the old one is not valid. Threads may share it."""
    import c2pa

    return c2pa.Context.from_dict(settings(TRUST_LIST.read_text("ascii")))


def settings(trusted: str) -> dict:
    """The library's settings; `trusted`: certificates, PEM. It accepts misspelt ones in silence: tested one by one."""
    return {
        "version": 1,
        "core": {"allowed_network_hosts": [], "max_decompressed_manifest_size_in_mb": 16},
        "trust": {"trust_anchors": trusted, "trust_config": "\n".join(USAGES)},
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
    }


def _told(store: dict) -> Signed:
    newest = store["active_manifest"]
    results = store["validation_results"]
    state = _state(store["validation_state"], results["activeManifest"])
    findings = []
    for manifest, trust in _back_from(store, newest, state, results.get("ingredientDeltas", [])):
        told = _finding(manifest, trust, manifest["label"] == newest)
        # Of what went before, only what says how the picture came about matters.
        if manifest["label"] == newest or told.kind != "other":
            findings.append(told)
    return Signed(state, findings)


def _state(state: str, codes: dict) -> str:
    if state == "Trusted":
        return "trusted"
    failed = {entry["code"] for entry in codes.get("failure", [])}
    if any(code.endswith(".mismatch") or code in _TAMPERED for code in failed):
        return "tampered"
    return "expired" if "signingCredential.expired" in failed else "unknown_signer"


def _back_from(store: dict, newest: str, state: str, deltas: list[dict]) -> Iterator[tuple[dict, str]]:
    """The manifests of a file from the newest back, each once, with what its signature is worth."""
    manifests = store["manifests"]
    # What this library found of them beside what their users wrote down.
    trusted = [
        entry.get("url", "")
        for delta in deltas
        for entry in delta["validationDeltas"].get("success", [])
        if entry["code"] == "signingCredential.trusted"
    ]
    waiting, seen = [(newest, state)], set()
    while waiting and len(seen) < MAX_MANIFESTS:
        label, trust = waiting.pop(0)
        if label in seen or label not in manifests:
            continue
        seen.add(label)
        yield manifests[label], trust
        for before in manifests[label].get("ingredients", []):
            name = before.get("active_manifest", "")
            codes = before.get("validation_results", {}).get("activeManifest", {})
            known = any(f"/{name}/" in url for url in trusted)
            found = _state("Trusted" if known else "Valid", codes)
            if _state("Valid", codes) == "tampered":
                found = "tampered"
            # A chain holds as far as its weakest link: what an unknown signer says of others is hearsay.
            waiting.append((name, found if trust == "trusted" or found == "tampered" else trust))


def _finding(manifest: dict, trust: str, newest: bool) -> Finding:
    kind, words, agent = _deed(manifest)
    signer = _name(manifest.get("signature_info", {}).get("issuer")) or "someone without a name"
    maker = _name(agent) or _name(next(iter(manifest.get("claim_generator_info", [])), manifest.get("claim_generator")))
    what = f"{words} with {maker}" if maker else words
    says, strength = {
        "trusted": (f"is signed by {signer}: {what}", "signed"),
        "unknown_signer": (
            f"says that it was {what}; the signature is real, but the signer ({signer}) is not on the trust list",
            "claimed",
        ),
        "expired": (
            f"says that it was {what}; the signature of {signer} has run out, and no time stamp tells when it was made",
            "claimed",
        ),
        "tampered": (f"was changed after {signer} signed it, so nothing that the signature said of it holds", "hinted"),
    }[trust]  # fmt: skip
    where = "C2PA" if newest else "C2PA, of the picture that it was made from"
    return Finding(where, says, maker, kind if trust != "tampered" else "other", strength)


def _deed(manifest: dict) -> tuple[str, str, object]:
    """How a picture came about, by the sources and actions of its manifest: kind, words, program."""
    found = ("other", "saved", None)
    for assertion in manifest.get("assertions", []):
        data = assertion.get("data")
        if not assertion.get("label", "").startswith("c2pa.actions") or not isinstance(data, dict):
            continue
        for action in data.get("actions", []):
            parameters = action.get("parameters") or {}
            source = action.get("digitalSourceType") or parameters.get("com.adobe.digitalSourceType") or ""
            deed = SOURCE_TYPES.get(str(source).rpartition("/")[2])
            if deed is None and action.get("action", "").removeprefix("c2pa.") not in _HARMLESS:
                deed = ("edited", "edited")
            if deed and KINDS.index(deed[0]) < KINDS.index(found[0]):
                found = (*deed, action.get("softwareAgent"))
    return found


def _name(agent: object) -> str:
    """A program's name, from text or {"name", "version"}, safe to show."""
    name = agent.get("name") if isinstance(agent, dict) else agent
    return "".join(c for c in str(name or "") if c.isprintable())[:MAX_NAME].strip()
