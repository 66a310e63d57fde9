"""Which nodes are left out, and for how long."""

from __future__ import annotations

from generator.backend.cluster.losses import MOST_LOSSES, OUT_SECONDS, WITHIN_SECONDS, Losses


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def lose(losses: Losses, clock: Clock, times: int, seconds: float = 10.0) -> list[bool]:
    told = []
    for _ in range(times):
        clock.now += seconds
        told.append(losses.note_node("a"))
    return told


def test_the_last_of_many_losses_leaves_a_node_out_and_tells_it_once() -> None:
    clock = Clock()
    losses = Losses(clock)
    assert lose(losses, clock, MOST_LOSSES + 2) == [False] * (MOST_LOSSES - 1) + [True, False, False]
    assert losses.is_left_out("a") and not losses.is_left_out("b")


def test_rare_losses_leave_nobody_out() -> None:
    clock = Clock()
    losses = Losses(clock)
    assert not any(lose(losses, clock, 20, WITHIN_SECONDS / 2))


def test_a_node_that_loses_all_its_cards_at_once_has_one_loss() -> None:
    clock = Clock()
    losses = Losses(clock)
    assert not any(lose(losses, clock, 8, 0.01))


def test_a_node_is_tried_again_after_a_while_or_when_somebody_says_so() -> None:
    clock = Clock()
    losses = Losses(clock)
    lose(losses, clock, MOST_LOSSES)
    clock.now += OUT_SECONDS - 1
    assert losses.left_out == ["a"]
    clock.now += 1
    assert losses.left_out == []
    lose(losses, clock, MOST_LOSSES)
    losses.resume()
    assert losses.left_out == []
