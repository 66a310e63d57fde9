"""The bot's account at Discord: its token, and the servers that it is in.

Tested in tests/bot/doctor/test_init.py.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from bot.config import Config
from bot.doctor.check import Check, Status
from bot.edge.redact import hide_tokens

UNTRUSTED = (
    "Install ca-certificates with the system's packages. Where a firewall opens encrypted connections, let "
    "the variable SSL_CERT_FILE name a file with the certificate of its authority."
)
API = "https://discord.com/api/v10"

NEEDED = {
    "View Channel": 1 << 10,
    "Send Messages": 1 << 11,
    "Embed Links": 1 << 14,
    "Attach Files": 1 << 15,
    "Read Message History": 1 << 16,
    "Send Messages in Threads": 1 << 38,
}
PERMISSIONS = sum(NEEDED.values())
ADMINISTRATOR = 1 << 3

NEW_TOKEN = "Reset the token on the application's Bot page and put the new one into the config."
REFUSED = Check("Discord token", Status.PROBLEM, "Discord refuses it", NEW_TOKEN)


def invite_link(application_id: int | str) -> str:
    """Return the address that adds the bot to a server with exactly the permissions it needs."""
    return (
        f"https://discord.com/oauth2/authorize?client_id={application_id}"
        f"&permissions={PERMISSIONS}&scope=bot+applications.commands"
    )


@dataclass(frozen=True, slots=True)
class Account:
    """What Discord says of the token's owner, each as Discord writes it."""

    user: dict[str, Any]
    application: dict[str, Any]
    guilds: list[dict[str, Any]]

    @property
    def link(self) -> str:
        """Return the invite link."""
        return invite_link(self.application["id"])


async def check_token(config: Config, api: str = API) -> list[Check]:
    """Ask Discord who the token belongs to, and give the invite link."""
    found = await find_account(config, api)
    if isinstance(found, Check):
        return [found]
    return [*_known(found), *check_permissions(found.guilds)]


async def find_account(config: Config, api: str = API) -> Account | Check:
    """Ask Discord who the token belongs to. A Check says why nobody is known, REFUSED that there is no such token."""
    import aiohttp  # a third of the time that commands without Discord would take to start

    token = config.token.get_secret_value()
    if not token:
        remedy = (
            "Run `vivant setup`. Or make an application at https://discord.com/developers/applications, copy the token "
            'of its bot, and put it into config.toml as token = "..." or into the environment as VIVANT_TOKEN. '
            "Or try `make demo`, which needs none."
        )
        return Check("Discord token", Status.PROBLEM, "none is set", remedy)
    if config.token_problem:
        return Check("Discord token", Status.PROBLEM, config.token_problem, NEW_TOKEN)
    try:
        return await _identity(token, config.proxy, api)
    except _Unauthorized:
        return REFUSED
    except aiohttp.ClientConnectorCertificateError as error:  # a ValueError as well
        seen = f"the certificate of who answers as Discord is not trusted here ({error.certificate_error})"
        return Check("Discord token", Status.PROBLEM, seen, UNTRUSTED)
    except (aiohttp.InvalidURL, aiohttp.ContentTypeError, ValueError, LookupError, TypeError, AttributeError) as error:
        return _strange_answer(config.proxy, error)
    except aiohttp.ClientResponseError as error:
        remedy = "Try again in a while; https://discordstatus.com says whether Discord has trouble."
        return Check("Discord token", Status.PROBLEM, f"Discord answers with {error.status}", remedy)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        remedy = 'Check the connection; behind a firewall set proxy = "http://host:port".'
        return Check("Discord token", Status.PROBLEM, f"Discord cannot be reached ({type(error).__name__})", remedy)


def check_permissions(guilds: list[dict[str, Any]]) -> list[Check]:
    """See which servers do not give the bot's roles what it needs; a channel may take more away."""
    found = []
    for guild in guilds:
        held = int(guild["permissions"])
        lacking = [] if held & ADMINISTRATOR else [name for name, bit in NEEDED.items() if not held & bit]
        if lacking:
            remedy = "Give the bot's role there what is missing."
            if "Read Message History" in lacking:
                remedy += (
                    " Without Read Message History clips are no replies to their cards, and after a long outage one "
                    "may be posted twice, because the bot cannot look whether it arrived."
                )
            found.append(Check(f"Server {guild['name']}", Status.WARNING, f"lacks {', '.join(lacking)}", remedy))
    return found


class _Unauthorized(Exception):
    pass


async def _identity(token: str, proxy: str | None, api: str) -> Account:
    import aiohttp

    headers = {"Authorization": f"Bot {token}"}
    timeout = aiohttp.ClientTimeout(total=10)
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context())
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:
        answers = []
        for path in ("/users/@me", "/applications/@me", "/users/@me/guilds"):
            async with session.get(api + path, proxy=proxy) as response:
                if response.status in (401, 403):
                    raise _Unauthorized
                response.raise_for_status()
                answers.append(await response.json(content_type=None))
    user, application, guilds = answers
    if not (user["username"] and application["id"]):
        raise ValueError("an account without a name")
    return Account(user, application, guilds)


def _known(account: Account) -> list[Check]:
    guilds, link = account.application.get("approximate_guild_count"), account.link
    servers = Check("Servers", Status.OK, f"in {guilds}; invite link: {link}")
    if not guilds:
        servers = Check("Servers", Status.WARNING, "the bot is in no server yet", f"Open {link}")
    return [Check("Discord token", Status.OK, f"belongs to {account.user['username']}"), servers]


def _strange_answer(proxy: str | None, error: Exception) -> Check:
    if proxy and isinstance(error, ValueError) and not isinstance(error, UnicodeDecodeError):
        seen, remedy = f"asking through the proxy {hide_tokens(proxy)} fails", 'Write it as proxy = "http://host:port".'
    else:
        seen = "something else answers in Discord's place"
        remedy = "Log in to this network in a browser, or allow discord.com in the filter; then try again."
    return Check("Discord token", Status.PROBLEM, f"{seen} ({type(error).__name__})", remedy)
