"""Slash commands, the context menu and buttons: they validate what a person asks and enqueue a NewJob.

Tested in tests/bot/edge/test_client.py.
"""

from __future__ import annotations

from typing import Any

from discord import app_commands

from bot.config.generator import GeneratorConfig
from bot.edge.commands.about import forget_me, help_command, privacy
from bot.edge.commands.admin import AdminCommands
from bot.edge.commands.animate import animate_command, animate_message
from bot.edge.commands.form.command import animate_form, animate_with_choices
from bot.edge.commands.jobs.history import history
from bot.edge.commands.jobs.queue import cancel, queue, result
from bot.edge.commands.jobs.recipe import recipe
from bot.edge.commands.settings.command import quota, settings
from bot.edge.commands.trust.own_data import my_data


def add_commands(tree: app_commands.CommandTree[Any], generator: GeneratorConfig | None = None) -> None:
    """Put every command into the tree, with the ranges of this operator; None: those of the default configuration."""
    commands: tuple[app_commands.Command[Any, ..., None], ...] = (
        animate_command(generator or GeneratorConfig()),
        animate_form,
        queue,
        cancel,
        result,
        history,
        recipe,
        quota,
        settings,
        help_command,
        privacy,
        my_data,
        forget_me,
    )
    for command in commands:
        tree.add_command(command)
    tree.add_command(animate_message)
    tree.add_command(animate_with_choices)
    tree.add_command(AdminCommands())
