"""The search on the size ladder always ends, with the best step that was found to fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from generator.clip import Format
from generator.video.size_ladder import GOOD_USE, SizeStep, next_step, size_ladder

formats = st.sampled_from(Format)


def search(steps: list[SizeStep], sizes: list[int], max_bytes: int) -> dict[int, int]:
    encoded = {0: sizes[0]}
    while (index := next_step(steps, encoded, max_bytes)) is not None:
        assert index not in encoded
        encoded[index] = sizes[index]
    return encoded


@given(formats, st.integers(1, 2000))
def test_the_steps_go_down_by_quality_then_size_then_frame_rate(format: Format, frames: int) -> None:
    steps = size_ladder(format, frames)
    costs = [step.cost for step in steps]
    assert costs == sorted(costs, reverse=True)
    assert len({step.quality for step in steps if step.scale == 1.0}) > 3
    order = [(step.scale < 1.0, step.every > 1) for step in steps]
    assert order == sorted(order)
    assert all(step.every < 2 * frames for step in steps if step.every > 1)
    assert steps[-1].every * 2 >= frames or frames <= 2


@given(formats, st.integers(1, 400), st.integers(1, 10**8), st.data())
def test_the_search_finds_the_best_rung_or_one_that_uses_the_budget_well(
    format: Format, frames: int, max_bytes: int, data: st.DataObject
) -> None:
    steps = size_ladder(format, frames)
    drops = data.draw(st.lists(st.floats(0.05, 1.0), min_size=len(steps), max_size=len(steps)))
    sizes = [data.draw(st.integers(max_bytes + 1, max_bytes * 1000))]
    for drop in drops[1:]:
        sizes.append(max(1, int(sizes[-1] * drop)))
    encoded = search(steps, sizes, max_bytes)
    fitting = [index for index, size in enumerate(sizes) if size <= max_bytes]
    found = [index for index in encoded if encoded[index] <= max_bytes]
    assert bool(found) == bool(fitting), "a step that fits is found whenever there is one"
    if found:
        assert min(found) == fitting[0] or sizes[min(found)] >= GOOD_USE * max_bytes
    assert len(encoded) <= len(steps)


@given(formats, st.integers(2, 60), st.integers(1, 10**8))
def test_a_first_rung_that_fits_ends_the_search_unless_it_is_the_first(
    format: Format, frames: int, max_bytes: int
) -> None:
    assert next_step(size_ladder(format, frames), {0: max_bytes}, max_bytes) is None
