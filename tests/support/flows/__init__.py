"""What people do with the bot, each as a function that drives the page: the tests and the screenshots share them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.support.flows import asking, keeping, receiving, waiting
from tests.support.flows.here import Here

Flow = Callable[[Here], Awaitable[None]]

FLOWS: dict[str, Flow] = {
    "motion": asking.choose_motion,
    "contradiction": asking.contradict_oneself,
    "mend": asking.mend_a_refusal,
    "form": asking.fill_in_the_form,
    "form-on-message": asking.open_the_form_on_a_message,
    "one-gesture": asking.animate_with_one_gesture,
    "drafts": asking.pick_a_draft,
    "waiting": waiting.read_why_one_waits,
    "progress": waiting.watch_it_grow,
    "again": waiting.press_again,
    "cancel": waiting.cancel_the_newest,
    "queue": waiting.read_whose_turn_it_is,
    "clip": receiving.receive_one_message,
    "menu": receiving.change_the_file,
    "extend": receiving.extend_and_undo,
    "earlier": receiving.go_on_from_earlier,
    "ask-author": receiving.ask_whose_clip_it_is,
    "still": receiving.cure_a_still_clip,
    "failure": receiving.help_a_failure,
    "history": keeping.look_back,
    "recipe": keeping.make_a_recipe_again,
    "help": keeping.read_what_comes_out_badly,
    "german": keeping.speak_german,
}
"""by the name of its picture in docs/screenshots/"""
