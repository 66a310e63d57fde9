"""What a clip's Content Credentials say, how they are signed and checked: C2PA through c2pa-python.

c2pa is imported where it is used, in a child: to sign in one that has the key and opens our own clips, to check in the
picture child, which opens strangers' files and has no key.

Tested in tests/generator/video/credentials/test_signer.py.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from generator.video.recipe import AI_GENERATED, program

INSTALL = "pip install 'vivant[credentials]'"
RECIPE_LABEL = "org.vivant.recipe"
_LONGEST_NAME = 100
_MIME = {".mp4": "video/mp4", ".gif": "image/gif", ".webp": "image/webp"}
_OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}


class CredentialState(StrEnum):
    """What a check of a clip's Content Credentials found."""

    OURS = "ours"
    """signed with the certificate of this bot, and unchanged since"""
    OTHERS = "others"
    """signed by somebody else, and unchanged since; who that is, nobody has checked"""
    CHANGED = "changed"
    """the clip or the statement was changed after it was signed"""
    NONE = "none"
    UNCHECKED = "unchecked"
    """what checks them is not installed"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a clip's Content Credentials say of it."""

    state: CredentialState
    signer: str = ""
    """the name in the certificate, which anybody may have written"""
    is_generated: bool = False
    """whether they say that a model made the clip"""

    @classmethod
    def from_json(cls, wire: dict[str, Any]) -> Credentials:
        """Rebuild the record from its JSON object."""
        return cls(**wire | {"state": CredentialState(wire["state"])})


def is_installed() -> bool:
    """Tell whether clips can be signed and checked here."""
    return importlib.util.find_spec("c2pa") is not None


def manifest(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return what is signed: that a model created the clip, by which program, and the recipe, without personal data."""
    name, _, version = program().partition(" ")
    agent = {"name": name, "version": version} if version else {"name": name}
    created = {"action": "c2pa.created", "digitalSourceType": AI_GENERATED, "softwareAgent": agent}
    assertions = [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}]
    if recipe:
        assertions.append({"label": RECIPE_LABEL, "data": recipe})
    return {"claim_generator_info": [agent], "title": "AI-generated clip", "assertions": assertions}


def sign(source: Path, target: Path, recipe: dict[str, Any], key: bytes, certificates: bytes) -> None:
    """Write the clip at `source` to `target` with signed credentials. Raises what c2pa raises."""
    import c2pa

    # A thumbnail would be as large as the clip's first frame: it made a small GIF eight times as large.
    settings = c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}, "verify": _OFFLINE})
    algorithm = c2pa.C2paSigningAlg[algorithm_of(key)]
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, certificates, key, None))
    with (
        c2pa.Context(settings) as context,
        c2pa.Builder(manifest(recipe), context) as builder,
        source.open("rb") as clip,
        target.open("w+b") as signed,
    ):
        builder.sign(signer, _MIME[source.suffix], clip, signed)


def algorithm_of(key: bytes) -> str:
    """Return the name of the algorithm that C2PA has for a private key in PEM. Raises ValueError when it has none."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match serialization.load_pem_private_key(key, password=None):
        case ec.EllipticCurvePrivateKey() as found if found.key_size in (256, 384, 521):
            return {256: "ES256", 384: "ES384", 521: "ES512"}[found.key_size]
        case rsa.RSAPrivateKey():
            return "PS256"
        case ed25519.Ed25519PrivateKey():
            return "ED25519"
    raise ValueError("C2PA signs with EC, Ed25519 and RSA keys alone")


def check(clip: Path, ours: str) -> Credentials:
    """Check a stranger's clip; `ours` are our certificates in PEM, or nothing."""
    mime = _mime_of(clip)
    if mime is None:
        return Credentials(state=CredentialState.NONE)
    if not is_installed():
        return Credentials(state=CredentialState.UNCHECKED)
    import c2pa

    trust = {"trust": {"user_anchors": ours}} if ours else {}
    with c2pa.Context(c2pa.Settings.from_dict({"verify": _OFFLINE, **trust})) as context, clip.open("rb") as file:
        try:
            with c2pa.Reader(mime, file, context=context) as reader:
                state, text = reader.get_validation_state(), reader.json()
        except c2pa.C2paError.ManifestNotFound:
            return Credentials(state=CredentialState.NONE)
        except c2pa.C2paError:
            return Credentials(state=CredentialState.CHANGED)  # there is something, and it cannot be read
    return _found(str(state), json.loads(text))


def _mime_of(clip: Path) -> str | None:
    with clip.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return _MIME[".mp4"]
    if head[:4] == b"GIF8":
        return _MIME[".gif"]
    return _MIME[".webp"] if head[:4] == b"RIFF" and head[8:] == b"WEBP" else None


def _found(state: str, store: dict[str, Any]) -> Credentials:
    states = {"Trusted": CredentialState.OURS, "Valid": CredentialState.OTHERS}
    active = store.get("manifests", {}).get(store.get("active_manifest"), {})
    signature = active.get("signature_info") or {}
    name = str(signature.get("common_name") or signature.get("issuer") or "")
    sources = [
        action.get("digitalSourceType")
        for assertion in active.get("assertions", [])
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", [])
    ]
    return Credentials(
        state=states.get(state, CredentialState.CHANGED),
        signer="".join(letter for letter in name[:_LONGEST_NAME] if letter.isprintable()),
        is_generated=AI_GENERATED in sources,
    )
