"""What is wrong with this installation, and how to mend it: one check per thing an operator can get wrong."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiohttp

from bot.config import Config
from generator.memory import GIB, MIB
from generator.process.confine import describe
from generator.process.environment import model_environment
from generator.variants import Variant

API = "https://discord.com/api/v10"

# View Channel, Send Messages, Send Messages in Threads, Embed Links, Attach Files, Read Message History
PERMISSIONS = 274878024704


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    """works, but something will surprise you"""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, what was seen, and what to do about it."""

    name: str
    status: Status
    seen: str
    remedy: str = ""


def invite_link(application_id: int | str) -> str:
    """Return the address that adds the bot to a server with exactly the permissions it needs."""
    return (
        f"https://discord.com/oauth2/authorize?client_id={application_id}"
        f"&permissions={PERMISSIONS}&scope=bot+applications.commands"
    )


async def examine(config: Config) -> list[Check]:
    """Run every check; none of them changes anything."""
    checks: list[Callable[[Config], Awaitable[list[Check]]]] = [
        check_python,
        check_token,
        check_ffmpeg,
        check_torch,
        check_weights,
        check_disk,
        check_confinement,
    ]
    found = await asyncio.gather(*(check(config) for check in checks))
    return [item for group in found for item in group]


async def check_python(_config: Config) -> list[Check]:
    """Look at Python and SQLite."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sqlite3.sqlite_version_info < (3, 37):
        remedy = "Install a Python built with SQLite 3.37 or newer; the queue needs STRICT tables."
        return [Check("Python", Status.PROBLEM, f"{version}, SQLite {sqlite3.sqlite_version}", remedy)]
    return [Check("Python", Status.OK, f"{version}, SQLite {sqlite3.sqlite_version}")]


async def check_token(config: Config) -> list[Check]:
    """Ask Discord who the token belongs to, and give the invite link."""
    token = config.token.get_secret_value()
    if not token:
        remedy = (
            "Make an application at https://discord.com/developers/applications, copy the token of its bot, and put "
            'it into config.toml as token = "..." or into the environment as VIVANT_TOKEN. '
            "Or try `make demo`, which needs none."
        )
        return [Check("Discord token", Status.PROBLEM, "none is set", remedy)]
    try:
        user, application = await _identity(token, config.proxy)
    except _Unauthorized:
        remedy = "Reset the token on the application's Bot page and put the new one into the config."
        return [Check("Discord token", Status.PROBLEM, "Discord refuses it", remedy)]
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        remedy = 'Check the connection; behind a firewall set proxy = "http://host:port".'
        return [Check("Discord token", Status.PROBLEM, f"Discord cannot be reached ({type(error).__name__})", remedy)]
    guilds = application.get("approximate_guild_count")
    link = invite_link(application["id"])
    servers = Check("Servers", Status.OK, f"in {guilds}; invite link: {link}")
    if not guilds:
        servers = Check("Servers", Status.WARNING, "the bot is in no server yet", f"Open {link}")
    return [Check("Discord token", Status.OK, f"belongs to {user['username']}"), servers]


class _Unauthorized(Exception):
    pass


async def _identity(token: str, proxy: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    headers = {"Authorization": f"Bot {token}"}
    timeout = aiohttp.ClientTimeout(total=10)
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context())
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:
        answers = []
        for path in ("/users/@me", "/applications/@me"):
            async with session.get(API + path, proxy=proxy) as response:
                if response.status in (401, 403):
                    raise _Unauthorized
                response.raise_for_status()
                answers.append(await response.json(content_type=None))
    return answers[0], answers[1]


async def check_ffmpeg(_config: Config) -> list[Check]:
    """Find ffmpeg and see that it can write H.264."""
    try:
        import imageio_ffmpeg

        path = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        remedy = "pip install imageio-ffmpeg, or install ffmpeg and set IMAGEIO_FFMPEG_EXE to its path."
        return [Check("ffmpeg", Status.PROBLEM, "not found", remedy)]
    _, text = await _output(path, "-hide_banner", "-encoders")
    if "libx264" not in text:
        remedy = "Unset IMAGEIO_FFMPEG_EXE to use the bundled build, or install an ffmpeg with libx264."
        return [Check("ffmpeg", Status.PROBLEM, f"{path} cannot write H.264", remedy)]
    return [Check("ffmpeg", Status.OK, path)]


# Runs in a child, so that this process stays free of torch.
_TORCH_FACTS = """
import json, torch
cuda = torch.cuda.is_available()
mps = bool(getattr(torch.backends, "mps", None) and torch.backends.mps.is_available())
cards = []
for number in range(torch.cuda.device_count() if cuda else 0):
    free, total = torch.cuda.mem_get_info(number)
    cards.append({"name": torch.cuda.get_device_name(number), "gib": total / 2**30, "free_gib": free / 2**30})
print(json.dumps({"version": torch.__version__, "cards": cards, "mps": mps}))
"""


async def check_torch(config: Config) -> list[Check]:
    """See in a child process which torch there is and which GPUs it sees."""
    code, text = await _output(sys.executable, "-c", _TORCH_FACTS)
    if code != 0:
        last = text.strip().splitlines()[-1] if text.strip() else f"exit code {code}"
        return [Check("torch", Status.PROBLEM, last, "pip install torch: see https://pytorch.org/get-started/locally/")]
    facts = json.loads(text.strip().splitlines()[-1])
    found = [Check("torch", Status.OK, facts["version"])]
    demo = config.all_variants()[config.generator.variant].is_demo
    for card in facts["cards"]:
        seen = f"{card['name']}, {card['free_gib']:.1f} of {card['gib']:.1f} GiB free"
        if card["free_gib"] < 3 and not demo:
            remedy = "Close other programs that use the card; SVD-XT needs a card of 4 GB or more."
            found.append(Check("GPU", Status.WARNING, seen, remedy))
        else:
            found.append(Check("GPU", Status.OK, seen))
    if not facts["cards"]:
        found.append(_no_card(facts["mps"], demo))
    return found


def _no_card(has_mps: bool, demo: bool) -> Check:
    if demo:
        return Check("GPU", Status.OK, "none, and the demo model needs none")
    if has_mps:
        return Check("GPU", Status.WARNING, "Apple GPU", "It works, slowly; nothing was measured on Apple hardware.")
    remedy = (
        'A clip of SVD-XT takes hours on a CPU. Set generator.variant = "demo" to try the bot without a GPU. With an '
        "NVIDIA card, install its driver and a CUDA build of torch: https://pytorch.org/get-started/locally/"
    )
    return Check("GPU", Status.PROBLEM, "torch sees none", remedy)


async def check_weights(config: Config) -> list[Check]:
    """See whether the configured variant's weights are here or can be fetched, and name their licence."""
    variant = config.all_variants()[config.generator.variant]
    name = f"Weights of {variant.name}"
    if _is_folder(variant.source):
        return [_check_folder(name, variant)]
    status = await asyncio.to_thread(_ask_hub, name, variant)
    licence = Check(
        "Licence of the weights", Status.OK, f"{variant.licence or 'see the model card'} {variant.licence_url}"
    )
    return [status, licence]


def _is_folder(source: str) -> bool:
    return source.startswith((".", "/", "~")) or Path(source).exists()


def _check_folder(name: str, variant: Variant) -> Check:
    folder = Path(variant.source).expanduser()
    if not (folder / "model_index.json").is_file():
        remedy = "Point the variant's `source` at a folder in diffusers' layout, or at a Hugging Face repository."
        return Check(name, Status.PROBLEM, f"{folder} has no model_index.json", remedy)
    if not any(folder.glob("unet/*.safetensors")):
        remedy = "Only safetensors are loaded. Download the repository again with its safetensors files."
        return Check(name, Status.PROBLEM, f"{folder}/unet has no safetensors file", remedy)
    return Check(name, Status.OK, str(folder))


def _ask_hub(name: str, variant: Variant) -> Check:
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(try_to_load_from_cache(variant.source, "unet/config.json", revision=variant.revision), str):
        return Check(name, Status.OK, f"{variant.source} is in the cache")
    page = f"https://huggingface.co/{variant.source}"
    # The root error of the HTTP library beneath: requests, httpx or another, by the hub client's version.
    http_error: type[Exception] = HfHubHTTPError.__bases__[0]
    try:
        HfApi().auth_check(variant.source)
    except GatedRepoError:
        remedy = f"Open {page}, accept the licence, then run `hf auth login` or set HF_TOKEN."
        return Check(name, Status.PROBLEM, "the repository is gated and this machine has no access", remedy)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return Check(
            name, Status.PROBLEM, f"there is no {variant.source}", "Check the variant's `source` and `revision`."
        )
    except (OSError, http_error) as error:
        remedy = (
            f"Connect once to download about 10 GB, or copy a downloaded {page} here and name its folder in "
            f'config.toml:\n[variants.{variant.name}]\nsource = "/the/folder"'
        )
        return Check(name, Status.PROBLEM, f"not here, and the hub cannot be reached ({type(error).__name__})", remedy)
    return Check(name, Status.WARNING, "not downloaded yet", f"The first start fetches about 10 GB from {page}")


async def check_disk(config: Config) -> list[Check]:
    """See that the data folder can be written and has room."""
    folder = config.data_dir.absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    seen = f"{folder}, {free / GIB:.1f} GiB free"
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        remedy = "Give the bot's user that folder, or set data_dir to another."
        return [Check("Data folder", Status.PROBLEM, f"{folder} cannot be written ({error.strerror})", remedy)]
    if free < config.retention.min_free_mib * MIB:
        remedy = "Free some space or lower retention.min_free_mib; until then /animate is refused."
        return [Check("Data folder", Status.PROBLEM, seen, remedy)]
    return [Check("Data folder", Status.OK, seen)]


async def check_confinement(_config: Config) -> list[Check]:
    """Try from inside a child that opens strangers' files what it can reach on this machine."""
    name = "Confined children"
    code, text = await _output(sys.executable, "-m", "generator.process.confine")
    if code != 0:
        remedy = "Report it, with this line: strangers' pictures are opened with fewer walls around them."
        return [Check(name, Status.WARNING, f"not tried: {text.strip()[-200:]}", remedy)]
    holds, missing = describe(json.loads(text.strip().splitlines()[-1]))
    seen = f"holds: {', '.join(holds) or 'nothing'}"
    if not missing:
        return [Check(name, Status.OK, seen)]
    remedy = "What opens strangers' files is best shut in by Linux 6.12 or newer with Landlock and seccomp turned on."
    return [Check(name, Status.WARNING, f"{seen}; missing: {', '.join(missing)}", remedy)]


async def _output(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, env=model_environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")
