"""What the setup does once the file is written: the invite link, the weights, and a look whether all is well.

Tested in tests/bot/doctor/setup/test_flow.py.
"""

from __future__ import annotations

import asyncio

from rich.console import Console

from bot.config import Config, load_config
from bot.config.token import application_of
from bot.doctor import examine
from bot.doctor.account import Account, invite_link
from bot.doctor.check import Check, Status
from bot.doctor.output import command, print_checks
from bot.doctor.setup.asking import confirm
from bot.doctor.setup.flow import Setup, file_to_write
from bot.doctor.setup.qr_code import print_qr_code
from bot.doctor.setup.weights import DownloadFailed, download_weights


def finish(setup: Setup, account: Account | None) -> bool:
    """Show the invite link, fetch the weights if wanted, and let the doctor look. Return whether all is well."""
    config = load_config(setup.path)
    show_link(setup.console, config, account)
    _weights(setup, config)
    setup.console.print("\nLooking whether all is well ...", markup=False)
    checks: list[Check] = asyncio.run(examine(config))
    print_checks(checks, as_json=False)
    named = setup.path if setup.path != file_to_write(None) else None
    if any(check.status is Status.PROBLEM for check in checks):
        again = command("doctor", named)
        setup.console.print(f"\nMend what is marked above, then: {again}", soft_wrap=True, markup=False)
        return False
    setup.console.print("\nAll clear. The next command starts the bot:", style="green", markup=False)
    setup.console.print(f"    {command('run', named)}", soft_wrap=True, markup=False)
    return True


def show_link(console: Console, config: Config, account: Account | None) -> bool:
    """Print the invite link, on a terminal as a QR code too; return whether there is one."""
    number = account.application["id"] if account else application_of(config.token.get_secret_value())
    if number is None:
        return False
    link = invite_link(number)
    asked = "" if account else " (from the token alone; Discord was not asked)"
    console.print(f"\nInvite the bot to your server with this link{asked}:", soft_wrap=True, markup=False)
    console.print(link, soft_wrap=True, markup=False)
    print_qr_code(console, link)
    return True


def _weights(setup: Setup, config: Config) -> None:
    variant = config.all_variants()[config.generator.variant]
    wanted = setup.given.download
    if variant.is_local:
        return
    if wanted is None and setup.given.asks:
        licence = f"{variant.licence} {variant.licence_url}".strip()
        setup.console.print(
            f"\nThe first start fetches the weights of {variant.name}, about 10 GB for SVD-XT. Licence: {licence}",
            markup=False,
            soft_wrap=True,
        )
        wanted = confirm(setup.console, "Fetch them now?", usual=True)
    if not wanted:
        return
    try:
        folder = download_weights(variant, setup.console)
        setup.console.print(f"The weights are in {folder}", style="green", soft_wrap=True, markup=False)
    except DownloadFailed as error:
        setup.console.print(str(error), style="red", soft_wrap=True, markup=False)
