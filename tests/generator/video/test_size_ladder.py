"""The ladder always ends, and ends with the best rung that was found to fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from generator.clip import Format
from generator.video.size_ladder import GOOD_USE, Rung, ladder, next_try

formats = st.sampled_from(Format)


def search(rungs: list[Rung], sizes: list[int], max_bytes: int) -> dict[int, int]:
    tried = {0: sizes[0]}
    while (index := next_try(rungs, tried, max_bytes)) is not None:
        assert index not in tried
        tried[index] = sizes[index]
    return tried


@given(formats, st.integers(1, 2000))
def test_the_ladder_goes_down_by_quality_then_size_then_frame_rate(format: Format, frames: int) -> None:
    rungs = ladder(format, frames)
    costs = [rung.cost for rung in rungs]
    assert costs == sorted(costs, reverse=True)
    assert len({rung.quality for rung in rungs if rung.scale == 1.0}) > 3
    order = [(rung.scale < 1.0, rung.every > 1) for rung in rungs]
    assert order == sorted(order)
    assert all(rung.every < 2 * frames for rung in rungs if rung.every > 1)
    assert rungs[-1].every * 2 >= frames or frames <= 2


@given(formats, st.integers(1, 400), st.integers(1, 10**8), st.data())
def test_the_search_finds_the_best_rung_or_one_that_uses_the_budget_well(
    format: Format, frames: int, max_bytes: int, data: st.DataObject
) -> None:
    rungs = ladder(format, frames)
    drops = data.draw(st.lists(st.floats(0.05, 1.0), min_size=len(rungs), max_size=len(rungs)))
    sizes = [data.draw(st.integers(max_bytes + 1, max_bytes * 1000))]
    for drop in drops[1:]:
        sizes.append(max(1, int(sizes[-1] * drop)))
    tried = search(rungs, sizes, max_bytes)
    fitting = [index for index, size in enumerate(sizes) if size <= max_bytes]
    found = [index for index in tried if sizes[index] <= max_bytes]
    assert bool(found) == bool(fitting), "a rung that fits is found whenever there is one"
    if found:
        assert min(found) == fitting[0] or sizes[min(found)] >= GOOD_USE * max_bytes
    assert len(tried) <= len(rungs)


@given(formats, st.integers(2, 60), st.integers(1, 10**8))
def test_a_first_rung_that_fits_ends_the_search_unless_it_is_the_first(
    format: Format, frames: int, max_bytes: int
) -> None:
    assert next_try(ladder(format, frames), {0: max_bytes}, max_bytes) is None
