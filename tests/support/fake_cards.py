"""Actors whose executors need no torch, in a module that the nodes can import too."""

from __future__ import annotations

import os
import shlex

from generator.backend.cluster.on_node.card import Card
from generator.backend.cluster.on_node.fence import Fence
from tests.support.fakes import FAKE_EXECUTOR


class FakeCard(Card):
    command = (*FAKE_EXECUTOR, *shlex.split(os.environ.get("FAKE_CARD", "")))


class NoFence(Fence):
    def start(self) -> None:
        pass


class FencelessCard(FakeCard):
    """Lives on when its node or its bridge is gone: a negative control."""

    make_fence = NoFence
