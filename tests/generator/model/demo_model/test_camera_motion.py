"""The camera moves that a clip's noise decides."""

from __future__ import annotations

import pytest
import torch

from generator.model.demo_model.camera_motion import (
    MOVES,
    displace,
    follow,
    mix_moves,
    read_numbers,
    ways,
    write_numbers,
)


def test_the_noise_says_the_move_and_stays_noise() -> None:
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 4, 12, 8, 12, generator=rng)
    wanted = torch.randn(2, MOVES, generator=rng)
    written = write_numbers(noise, wanted)
    assert torch.allclose(read_numbers(written), wanted, atol=1e-4)
    assert not torch.allclose(read_numbers(noise), wanted, atol=0.1)
    assert torch.equal(written[:, :, MOVES:], noise[:, :, MOVES:])
    assert abs(float(written.std()) - 1) < 0.05


def test_seeds_make_different_moves_whose_shares_add_up() -> None:
    numbers = torch.randn(10, MOVES, generator=torch.Generator().manual_seed(1))
    mixed = mix_moves(numbers)
    assert torch.allclose(mixed.abs().sum(1), torch.ones(10))
    assert float(mixed.norm(dim=1).min()) > 0.447  # what five equal shares have: no clip is lost between moves
    alike = (mixed @ mixed.T).fill_diagonal_(0)
    assert float(alike.max()) < 0.99
    assert len(set(mixed.abs().argmax(1).tolist())) >= 4


def test_a_higher_bucket_moves_further_and_the_first_frame_not_at_all() -> None:
    buckets = torch.tensor([0.0, 20, 80, 127, 200])
    way = ways(buckets, torch.full_like(buckets, 7), torch.full_like(buckets, 0.02), 14)
    across, along = follow(torch.eye(MOVES)[:1].expand(5, -1), way, 28, 48, 8)
    moved = (across.square() + along.square()).sqrt().mean((2, 3))
    assert float(moved[:, 0].abs().max()) == 0
    assert float(moved[0].max()) == 0
    assert bool((moved[1:, -1].diff() > 0).all())


def test_what_is_near_moves_more_than_what_is_far() -> None:
    pan = torch.eye(MOVES)[:1]
    across, _ = follow(pan, torch.tensor([[0.05]]), 28, 48, 8)
    between = (across[0, 0, 14, 11] + across[0, 0, 14, 36]) / 2  # so that the push in cancels
    assert float(across[0, 0, 14, 24]) > 1.5 * float(between) > 0


@pytest.mark.parametrize("shape", [(224, 384), (384, 224), (288, 288)])
def test_nothing_comes_into_view_that_the_picture_does_not_show(shape: tuple[int, int]) -> None:
    height, width = shape
    numbers = torch.randn(300, MOVES, generator=torch.Generator().manual_seed(3))
    numbers = torch.cat([numbers, torch.eye(MOVES), -torch.eye(MOVES)])
    ways_here = ways(torch.tensor([75.0, 127.0]), torch.full((2,), 7.0), torch.full((2,), 0.02), 14)[:, -1:]
    for way in ways_here:
        across, along = (each[:, 0] for each in follow(numbers, way.expand(len(numbers), 1), height, width, 1))
        x, y = torch.arange(width) + 0.5 + across, torch.arange(height)[:, None] + 0.5 + along
        outside = torch.stack([-x, x - width, -y, y - height]).amax((0, 2, 3))
        assert float(outside.max()) < 0, "pixels"
    # Control: a pan that went as far everywhere as in the centre would show more than 10 pixels beyond the side.
    assert float(across[-2 * MOVES].max()) > 10


def test_where_pixels_come_from_is_a_sum_over_the_shares() -> None:
    u, v = torch.linspace(-0.6, 0.6, 9).expand(7, 9), torch.linspace(-0.4, 0.4, 7)[:, None].expand(7, 9)
    one, other = torch.randn(2, 1, MOVES, generator=torch.Generator().manual_seed(2))
    found = [displace(mix, u, v, (0.65, 0.45)) for mix in (one, other, (one + other) / 2)]
    for half, both in zip([(a + b) / 2 for a, b in zip(*found[:2], strict=True)], found[2], strict=True):
        assert torch.allclose(half, both, atol=1e-6)
