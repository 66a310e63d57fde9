"""`python -m generator.video.credentials.trial KEY CERTIFICATES`: sign a tiny clip with them, and tell whose they are.

Tested in tests/bot/doctor/test_trust.py.
"""

from __future__ import annotations

import datetime
import json
import sys
import tempfile
from pathlib import Path
from typing import Any


def try_signing(key: bytes, certificates: bytes) -> dict[str, Any]:
    """Return the name in the signing certificate and for how many days it is valid. Raises what c2pa raises."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID
    from PIL import Image

    from generator.video.credentials.manifest import sign

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "trial.gif"
        Image.new("RGB", (16, 16)).save(clip)
        sign(clip, clip.with_name("signed.gif"), {}, key, certificates)
    certificate = x509.load_pem_x509_certificate(certificates)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return {"name": str(names[0].value) if names else "no name", "days": left.days}


def main(arguments: list[str]) -> None:
    """Print the answer as JSON: `why` says what went wrong."""
    try:
        answer = try_signing(*(Path(name).read_bytes() for name in arguments))
    except Exception as error:  # noqa: BLE001 - whatever c2pa and cryptography raise, the doctor tells it
        answer = {"why": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
