"""What a file's C2PA manifest says, who signed it, and whether the signature holds (C2PA 2.2, validation).

Read by the library c2pa-python, which is told to ask nobody: no manifest is fetched, no certificate looked up. The
signers that are trusted are those on the C2PA conformance programme's list, which lies beside this file; the
programme's authorities for time stamps all stand under roots of that list.
"""

import functools
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from detector.provenance.finding import SOURCE_TYPES, Finding

TRUST_LIST = Path(__file__).with_name("C2PA-TRUST-LIST.pem")
# What a signer's certificate may be for; the library alone would refuse all but the first and the third (FAQ of C2PA's
# conformance programme): e-mail, documents, time stamps, OCSP, C2PA's own, Microsoft's documents.
USAGES = (
    *("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"),
    *("1.3.6.1.4.1.62558.2.1", "1.3.6.1.4.1.311.76.59.1.9"),
)
MAX_MANIFESTS = 30  # that are followed from the newest back
MAX_NAME = 80  # characters of a name that a manifest gives
TRUSTED, UNTRUSTED, EXPIRED = (f"signingCredential.{word}" for word in ("trusted", "untrusted", "expired"))
_MISSING = ("assertion.missing", "claim.missing", "claim.hardBindings.missing")
# Actions that leave what a picture shows as it was; others edit it (C2PA 2.2, 18.15).
_HARMLESS = {"created", "opened", "placed", "published", "repackaged", "transcoded", "converted", "watermarked"}
# What an ingredient was to the picture (C2PA 2.2, 18.16) -> how that is said.
_RELATIONS = {
    "": "{}",
    "parentOf": "was made from a picture that {}",
    "componentOf": "holds a part that {}",
    "inputTo": "was made with the help of a picture that {}",
}


class Signed(NamedTuple):
    """A file's manifests in a word, what they say, and what could not be read."""

    c2pa: str | None  # trusted, unknown_signer, tampered, expired, none; None where that cannot be told
    findings: list[Finding]
    problem: str = ""


@dataclass(frozen=True)
class _Checked:
    """One manifest, and what the library found of it."""

    manifest: dict
    succeeded: frozenset[str]  # codes (C2PA 2.2, 15.2)
    failed: frozenset[str]
    relation: str = ""  # of the picture that it is of to the file's: one of _RELATIONS

    @property
    def vouched(self) -> bool:
        """Whether the signer is on the trust list."""
        return TRUSTED in self.succeeded and UNTRUSTED not in self.failed

    @property
    def state(self) -> str:
        """trusted, unknown_signer, tampered, expired, or invalid: a record that breaks a rule of C2PA."""
        if any(code.endswith(".mismatch") or code in _MISSING for code in self.failed):
            return "tampered"
        if EXPIRED in self.failed:
            return "expired"
        if self.failed - {UNTRUSTED}:
            return "invalid"
        return "trusted" if self.vouched else "unknown_signer"


def signed_by(data: bytes, mime: str) -> Signed:
    """What the manifests of a file say. Never asks another host; needs the whole, untouched file."""
    # The box that all manifests lie in, or the name under which XMP says where else one lies.
    if b"c2pa" not in data and b"dcterms:provenance" not in data:
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
    chain = list(_back_from(store))
    newest = chain[0]
    if newest.state == "tampered":
        return Signed("tampered", [_finding(newest, None)])
    findings, by_ai = [], False
    for checked in chain:
        told = _finding(checked, newest)
        # Of what went before, only what says how the picture came about matters; and what AI has changed since is no
        # longer what a camera took.
        if checked is newest or told.kind != "other":
            findings.append(replace(told, kind="other") if by_ai and told.kind == "captured" else told)
        by_ai |= "by AI" in told.short
    return Signed("unknown_signer" if newest.state == "invalid" else newest.state, findings)


def _back_from(store: dict) -> Iterator[_Checked]:
    """The manifests of a file from the newest back, each once."""
    manifests, results = store["manifests"], store["validation_results"]
    deltas = [delta["validationDeltas"] for delta in results.get("ingredientDeltas") or []]
    waiting, seen = [(store["active_manifest"], "", results["activeManifest"])], set()
    while waiting and len(seen) < MAX_MANIFESTS:
        label, relation, recorded = waiting.pop(0)
        if label in seen or label not in manifests:
            continue
        seen.add(label)
        # What its user wrote down when he took it up, and where this library found otherwise.
        succeeded, failed = _codes(recorded, "success"), _codes(recorded, "failure")
        for delta in deltas:
            now = _codes(delta, "success", label), _codes(delta, "failure", label)
            failed = failed - {UNTRUSTED} if TRUSTED in now[0] else failed
            succeeded, failed = succeeded | now[0], failed | now[1]
        if not relation:  # a record that was changed further back was changed in this file
            failed |= {code for delta in deltas for code in _codes(delta, "failure") if code.endswith(".mismatch")}
            if store.get("validation_state") == "Invalid" and not failed - {UNTRUSTED}:
                failed.add("invalid")  # for a reason that stands elsewhere
        yield _Checked(manifests[label], frozenset(succeeded), frozenset(failed), relation)
        for before in manifests[label].get("ingredients", []):
            kind = before.get("relationship", "componentOf")
            nearer = kind if relation in ("", "parentOf") else relation  # a part's parent is no parent of the whole
            old = {"failure": before.get("validation_status") or []}  # as version 1 had it
            codes = (before.get("validation_results") or {}).get("activeManifest", old)
            waiting.append((before.get("active_manifest", ""), nearer, codes))


def _codes(results: dict, kind: str, label: str = "") -> set[str]:
    return {entry["code"] for entry in results.get(kind, []) if label in entry.get("url", "")}


def _finding(checked: _Checked, newest: _Checked | None) -> Finding:
    """`newest`: the manifest by which this one came into the file. Who is not vouched for may have put in any other."""
    manifest, state = checked.manifest, checked.state
    kind, words, agent = _deed(manifest)
    name = _name(manifest.get("signature_info", {}).get("issuer")) or "nobody"
    signer = name if checked.vouched else f"somebody who signs as {name}"
    maker = _name(agent) or _name(
        next(iter(manifest.get("claim_generator_info") or []), manifest.get("claim_generator"))
    )
    what = f"{words} with {maker}" if maker else words
    hearsay = newest is not None and newest.state != "trusted"
    says, strength = {
        "trusted": (f"is signed by {name}: {what}", "claimed" if hearsay else "signed"),
        "unknown_signer": (
            f"says that it was {what}; the signature is real, but the signer ({name}) is not on the trust list",
            "claimed",
        ),
        "expired": (
            f"says that it was {what}; the signature of {signer} has run out, and no time stamp that is trusted here "
            "tells when it was made",
            "claimed",
        ),
        "invalid": (
            f"says that it was {what}, but its record breaks the rules of C2PA, so it is worth little",
            "hinted",
        ),
        "tampered": (f"was changed after {signer} signed it, so nothing that was signed holds any more", "hinted"),
    }[state]  # fmt: skip
    if state == "tampered":
        kind, words = "other", "changed after it was signed"
    elif checked.relation in ("componentOf", "inputTo"):
        kind, words = ("edited", "made by AI in part") if kind == "generated" else ("other", words)
    where = "C2PA" if not checked.relation else "C2PA, of an earlier picture"
    return Finding(where, _RELATIONS[checked.relation].format(says), maker, kind, strength, words)


def _deed(manifest: dict) -> tuple[str, str, object]:
    """How a picture came about, by the sources and actions of its manifest: kind, words, program."""
    order = list(SOURCE_TYPES)
    found = (len(order) + 1, "other", "saved", None)
    for assertion in manifest.get("assertions", []):
        data = assertion.get("data")
        if not assertion.get("label", "").startswith("c2pa.actions") or not isinstance(data, dict):
            continue
        for action in data.get("actions", []):
            parameters = action.get("parameters") or {}
            source = action.get("digitalSourceType") or parameters.get("com.adobe.digitalSourceType") or ""
            name = str(source).rpartition("/")[2]
            if name in SOURCE_TYPES:
                deed = (order.index(name), *SOURCE_TYPES[name])
            elif action.get("action", "").removeprefix("c2pa.") not in _HARMLESS:
                deed = (len(order), "edited", "edited")
            else:
                continue
            if deed[0] < found[0]:
                found = (*deed, action.get("softwareAgent"))
    return found[1:]


def _name(agent: object) -> str:
    """A program's name, from text or {"name", "version"}, safe to show."""
    name = agent.get("name") if isinstance(agent, dict) else agent
    return "".join(c for c in str(name or "") if c.isprintable())[:MAX_NAME].strip()
