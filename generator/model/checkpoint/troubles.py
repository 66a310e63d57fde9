"""What is wrong when the Hugging Face hub gives no weights: a word and a remedy for each kind. Downloads nothing.

Tested in tests/generator/model/checkpoint/test_hub.py.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

USUAL_HUB = "https://huggingface.co"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NETWORK = (ConnectionError, TimeoutError, *HfHubHTTPError.__bases__)
"""with the root error of the HTTP library that this version of the hub uses: requests, httpx or httpx2"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be downloaded: a repository, at a commit or at its newest one."""

    source: str
    revision: str | None


Trouble = tuple[str, str]
"""`why` and `remedy` of a WeightsUnavailable"""


def explain(error: BaseException, wanted: Wanted) -> Trouble:
    """Return why the download failed and what to do. The causes beneath `error` count as well."""
    chain = list(_chain(error))
    for look in (_of_this_machine, _of_the_answer, _of_the_network):
        for item in chain:
            if found := look(item, wanted):
                return found
    return "hub", f"The download of {wanted.source} failed: {type(error).__name__}. The log has the details; try again."


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def from_a_folder(source: str) -> str:
    """Return the way without the hub."""
    return f"copy the folder of a downloaded https://huggingface.co/{source} here and name it as the variant's source"


def _of_this_machine(error: BaseException, wanted: Wanted) -> Trouble | None:
    cache = constants.HF_HUB_CACHE
    if isinstance(error, HFValidationError):
        return "missing", f"{wanted.source!r} is neither a folder nor the name of a repository, such as owner/name."
    if isinstance(error, OfflineModeIsEnabled):
        text = "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, so nothing is fetched from huggingface.co. "
        return "offline", f"{text}Unset it for the first start, or {from_a_folder(wanted.source)}."
    if isinstance(error, HfHubHTTPError | LocalEntryNotFoundError) or not isinstance(error, OSError):
        if "No space left on device" not in str(error):  # the storage client's own errors carry no number
            return None
        return no_room(cache)
    if error.errno in _FULL:
        return no_room(cache)
    if error.errno == errno.EFBIG:
        return "cache", f"The disk of {cache} takes no file as large (FAT32?). Set HF_HOME to a folder on another disk."
    local = isinstance(error, PermissionError | NotADirectoryError | FileExistsError | IsADirectoryError)
    if local or error.errno == errno.EROFS or (isinstance(error, FileNotFoundError) and error.filename):
        where = error.filename or cache
        return "cache", (
            f"The cache of downloads cannot be written: {where} ({error.strerror}). Give that folder to the bot's user "
            "(chown), or set HF_HOME to a folder of its own."
        )
    return None


def no_room(cache: str, needed: int | None = None) -> Trouble:
    """Return the trouble of a disk that is too full for `needed` bytes."""
    size = f" for {needed / 1e9:.1f} GB" if needed else ""
    return (
        "disk-full",
        f"There is no room{size} in {cache}. Make room there, or set HF_HOME to a folder on another disk.",
    )


def _of_the_answer(error: BaseException, wanted: Wanted) -> Trouble | None:
    page = f"{USUAL_HUB}/{wanted.source}"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError):
        return "gated", (
            f"Accept the licence at {page} and set HF_TOKEN to a token of that account that may read gated "
            "repositories, then try again."
        )
    if status == 401 and get_token():
        return "token", (
            "Hugging Face refuses this machine's token: it has expired or was revoked. Make a new one at "
            f"{USUAL_HUB}/settings/tokens and set HF_TOKEN, or log in with `hf auth login`; a public model needs none."
        )
    if isinstance(error, RevisionNotFoundError):
        return "missing", f"There is no {wanted.source} at revision {wanted.revision} on the hub. Correct `revision`."
    if isinstance(error, RepositoryNotFoundError) or status in (401, 404):
        return "missing", (
            f"There is no {wanted.source} on the hub that this machine may see. Correct the variant's `source`; for a "
            "private repository set HF_TOKEN."
        )
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) or "does not seem to be served by" in str(error):
        return _not_a_hub()
    return _of_the_status(status, error) if status is not None and status >= 400 else None


def _of_the_status(status: int, error: BaseException) -> Trouble:
    if status == 429:
        headers = error.response.headers  # type: ignore[attr-defined]
        wait = headers.get("Retry-After", "")
        minutes = f" after {-(-int(wait) // 60)} min" if wait.isdecimal() else " in a while"
        return (
            "busy",
            f"Hugging Face limits this address: too many requests (429). Try again{minutes}, or set HF_TOKEN.",
        )
    if status >= 500:
        return "hub-down", (
            f"The hub itself has trouble ({status}); nothing is wrong here. Try again later; "
            "https://status.huggingface.co says when it is over."
        )
    if status == 407:
        return "proxy", "The proxy wants a name and a password (407): HTTPS_PROXY=http://name:password@host:port."
    if status == 403:
        return "token", (
            "Hugging Face forbids the download (403). Set HF_TOKEN to a token that may read this repository; if "
            "it is right, a firewall may answer in the hub's place."
        )
    return "hub", f"The hub answered with status {status}. Try again; if it stays so, check HF_ENDPOINT and any proxy."


def _not_a_hub() -> Trouble:
    if constants.ENDPOINT != USUAL_HUB:
        return "endpoint", (
            f"HF_ENDPOINT is {constants.ENDPOINT}, and what answers there is no Hugging Face hub. "
            "Correct or unset it; if it is right, this network may want a login in a browser first."
        )
    return "portal", (
        "Something between this machine and huggingface.co answers with a page of its own: a network that wants a "
        "login in a browser, or a filter. Log in or ask for access, then try again."
    )


def _of_the_network(error: BaseException, wanted: Wanted) -> Trouble | None:
    said, kind = str(error), type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in said or "certificate verify failed" in said:
        return "certificate", (
            "The hub's certificate cannot be checked. Set this machine's clock; log in where the network wants that in "
            "a browser; behind a proxy that opens connections, set SSL_CERT_FILE to the file with its certificate."
        )
    if bad := bad_endpoint():
        return bad
    if kind == "ProxyError":
        return "proxy", "The proxy does not answer. Correct HTTPS_PROXY, or unset it."
    if not isinstance(error, (*_NETWORK, OSError)):
        return None
    broke_off = kind in ("RemoteProtocolError", "ChunkedEncodingError") or "Consistency check failed" in said
    if broke_off:
        return (
            "offline",
            f"The download of {wanted.source} broke off. Try again: what is finished is not fetched twice.",
        )
    where = "huggingface.co" if constants.ENDPOINT == USUAL_HUB else f"{constants.ENDPOINT} (HF_ENDPOINT)"
    return "offline", (
        f"{where} cannot be reached. Connect this machine to huggingface.co once, set HTTPS_PROXY where a proxy is "
        f"needed, or {from_a_folder(wanted.source)}."
    )


def bad_endpoint() -> Trouble | None:
    """Return the trouble of a HF_ENDPOINT that is no address."""
    try:
        address = urlsplit(constants.ENDPOINT)
        if address.scheme in ("http", "https") and address.hostname and address.port != 0:
            return None
    except ValueError:  # a port that is no number, half of an IPv6 address
        pass
    return "endpoint", (
        f"HF_ENDPOINT is {constants.ENDPOINT!r}, which is no address. Unset it, or write it such as {USUAL_HUB}."
    )


def stalled(source: str, seconds: float) -> Trouble:
    """Return the trouble of a download in which nothing arrives any more."""
    return "stalled", (
        f"The download of {source} stood still for {seconds:.0f} s, also without Hugging Face's own storage protocol. "
        f"Let this machine reach huggingface.co and the hosts of hf.co (a firewall may block them), or "
        f"{from_a_folder(source)}."
    )


def is_local_file(path: str) -> bool:
    """Tell whether a source is meant as a path, though nothing may be there."""
    return path.startswith((".", "/", "~")) or Path(path).is_absolute()
