"""The key that signs clips and its certificates: made once, private, or the operator's own. Knows nothing of C2PA.

`cryptography`, which c2pa-python brings, is imported where it is used: in a child, never in the bot process.

Tested in tests/generator/video/credentials/test_signer.py.
"""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509 import Certificate, Name

_YEARS = 10
"""without a time-stamping service a signature is valid for as long as its certificate"""
NAME = "Vivant, with a certificate made by itself"


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where the private key and its certificates lie, both in PEM, the signing certificate first."""

    key: Path
    certificates: Path

    @classmethod
    def in_folder(cls, folder: Path) -> KeyFiles:
        """Return where a key that is made by itself lies."""
        return cls(folder / "key.pem", folder / "certificate.pem")

    @property
    def exist(self) -> bool:
        """Tell whether there are both."""
        return self.key.is_file() and self.certificates.is_file()


def make_key(files: KeyFiles) -> None:
    """Make a key and its certificate, which a root certificate signs whose key is thrown away.

    Only this account may read the key. The certificate appears last: without it the key is made anew.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("Vivant, root", "Vivant, root", root_key, root_key, is_root=True)
    certificate = _certificate(NAME, "Vivant, root", key, root_key, is_root=False)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(files.key, secret)
    _write(files.certificates, certificate.public_bytes(pem) + root.public_bytes(pem))


def _write(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.part")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _certificate(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey, *, is_root: bool
) -> Certificate:
    """Make a certificate with the extensions that C2PA asks for (C2PA specification, section on X.509 certificates)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    now = datetime.datetime.now(datetime.UTC)
    public, issuer_public = key.public_key(), issuer_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(x509.KeyUsage(**_usage(is_root=is_root)), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
    )
    if not is_root:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    pairs = ((NameOID.ORGANIZATION_NAME, "Vivant"), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in pairs])


def _usage(*, is_root: bool) -> dict[str, Any]:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
    return {"digital_signature": not is_root, "key_cert_sign": is_root, "crl_sign": is_root, **never}
