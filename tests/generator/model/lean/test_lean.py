"""The lean UNet and decoder against diffusers' own, in single precision: whatever the plan, the same numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from generator.errors import Cancelled
from generator.model.lean import layers
from generator.model.lean.chunks import even_chunks
from generator.model.lean.decoder import LeanDecoder, decode_windows, pack_decoder
from generator.model.lean.pack import Packed
from generator.model.lean.residency import ResidentWeights, StreamedWeights
from generator.model.lean.unet import LeanUNet, PackedUNet, pack_unet
from tests.support.tiny_checkpoint import tiny_unet, tiny_vae

CPU = torch.device("cpu")
IDS = (6.0, 127.0, 0.02)
TIME = 1.3
SHAPES = {"landscape": (8, 16), "portrait": (16, 8), "square": (8, 8)}
TOLERANCE = 1e-4


def no_check() -> None:
    return None


class Case:
    """A small UNet, one input and what diffusers answers."""

    def __init__(self, frames: int, shape: tuple[int, int]) -> None:
        torch.manual_seed(frames)
        unet = tiny_unet(frames, levels=3)
        self.frames = frames
        self.sample = torch.randn(2, frames, 8, *shape)
        self.context = torch.randn(2, 1, 32)
        self.context[0] = 0
        with torch.no_grad():
            self.expected = unet(
                self.sample, torch.tensor(TIME), self.context, torch.tensor([IDS] * 2), return_dict=False
            )[0]
        self.packed = pack_unet(unet, CPU)

    @torch.no_grad()
    def error(self, weights: Any, frames_per_chunk: int, *, split: bool) -> float:
        unet = LeanUNet(self.packed, weights, CPU, frames_per_chunk)
        constants = unet.prepare(self.context, IDS, [TIME], self.frames)
        given = self.sample.permute(0, 1, 3, 4, 2).contiguous()
        if split:
            parts = [unet(given[item : item + 1], constants, 0, no_check, item=item) for item in (0, 1)]
            out = torch.cat(parts)
        else:
            out = unet(given, constants, 0, no_check)
        return float((out.permute(0, 1, 4, 2, 3) - self.expected).abs().max())


@pytest.fixture(scope="module", params=[(14, "landscape"), (25, "portrait"), (25, "square")], ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    frames, shape = request.param
    return Case(frames, SHAPES[shape])


@pytest.mark.parametrize("split", [False, True], ids=["batched", "split"])
@pytest.mark.parametrize("source", [ResidentWeights, StreamedWeights])
@pytest.mark.parametrize("frames_per_chunk", [5, 7, 50])
def test_every_way_to_run_the_unet_gives_diffusers_answer(
    case: Case, source: Any, frames_per_chunk: int, split: bool
) -> None:
    assert case.error(source(case.packed.body, CPU), frames_per_chunk, split=split) < TOLERANCE


def test_one_frame_at_a_time_gives_the_same() -> None:
    case = Case(5, SHAPES["square"])
    assert case.error(StreamedWeights(case.packed.body, CPU), 1, split=True) < TOLERANCE


def test_an_odd_level_is_brought_to_its_skips_size() -> None:
    assert (case := Case(5, (6, 10))).error(ResidentWeights(case.packed.body, CPU), 3, split=False) < TOLERANCE


class ForgetfulRing(StreamedWeights):
    """The negative control: a ring that hands a layer out before its weights have arrived."""

    def _copy(self, target: torch.Tensor, source: torch.Tensor) -> None:
        if self._filled > 4:
            return
        super()._copy(target, source)


def test_a_ring_that_forgets_to_copy_is_caught() -> None:
    case = Case(5, SHAPES["square"])
    assert case.error(StreamedWeights(case.packed.body, CPU), 5, split=False) < TOLERANCE
    assert not case.error(ForgetfulRing(case.packed.body, CPU), 5, split=False) < TOLERANCE


def test_streaming_reads_the_masters_and_never_writes_them() -> None:
    case = Case(5, SHAPES["square"])
    before = case.packed.body.flat.clone()
    ring = StreamedWeights(case.packed.body, CPU)
    case.error(ring, 5, split=False)
    assert torch.equal(case.packed.body.flat, before)
    ahead = 2 * case.packed.body.largest * 4
    assert case.packed.body.nbytes <= ring.bytes_copied <= case.packed.body.nbytes + ahead


@torch.no_grad()
def test_a_pass_left_halfway_leaves_the_next_one_right() -> None:
    case = Case(5, SHAPES["square"])
    ring = StreamedWeights(case.packed.body, CPU)
    unet = LeanUNet(case.packed, ring, CPU, 5)
    constants = unet.prepare(case.context, IDS, [TIME], 5)
    checks = iter(range(5))

    def cancel() -> None:
        if next(checks, None) is None:
            raise Cancelled.now()

    with pytest.raises(Cancelled):
        unet(case.sample.permute(0, 1, 3, 4, 2).contiguous(), constants, 0, cancel)
    assert case.error(ring, 5, split=False) < TOLERANCE


def test_the_packed_module_still_answers_for_itself() -> None:
    case = Case(5, SHAPES["square"])
    unet = case.packed.module
    again = unet(case.sample, torch.tensor(TIME), case.context, torch.tensor([IDS] * 2), return_dict=False)[0]
    assert (again - case.expected).abs().max() < TOLERANCE
    held = sum(parameter.untyped_storage().nbytes() for parameter in {id(p): p for p in unet.parameters()}.values())
    assert held > 0 and unet.conv_in.weight.data_ptr() in _addresses(case.packed)


def _addresses(packed: PackedUNet) -> set[int]:
    stretch = packed.ends.stretches[0]
    return {view.data_ptr() for view in stretch.views(packed.ends.host(0)).values()}


@pytest.mark.parametrize("frames", [1, 2, 14])
@torch.no_grad()
def test_the_exact_decode_is_diffusers_full_decode(frames: int) -> None:
    torch.manual_seed(frames)
    vae = tiny_vae(levels=3)
    latents = torch.randn(frames, 4, 6, 8)
    expected = vae.decode(latents, num_frames=frames).sample
    packed = pack_decoder(vae.decoder, CPU)
    for source in (ResidentWeights, StreamedWeights):
        decoder = LeanDecoder(packed, source(packed.body, CPU))
        out = torch.stack(list(decoder.decode(latents.permute(0, 2, 3, 1).contiguous(), no_check)))
        assert (out.permute(0, 3, 1, 2) - expected).abs().max() < TOLERANCE


@torch.no_grad()
def test_windows_come_nearer_to_the_full_decode_than_disjoint_chunks() -> None:
    torch.manual_seed(0)
    vae = tiny_vae(levels=2)
    latents = (0.1 * torch.randn(25, 4, 4, 4)).cumsum(0)
    packed = pack_decoder(vae.decoder, CPU)
    decoder = LeanDecoder(packed, ResidentWeights(packed.body, CPU))
    maps = latents.permute(0, 2, 3, 1).contiguous()

    def decode(part: torch.Tensor) -> Any:
        return decoder.decode(part, no_check)

    exact = torch.stack(list(decode(maps)))
    windowed = torch.stack(list(decode_windows(decode, maps, 8, 3)))
    chunked = torch.cat([torch.stack(list(decode(part))) for part in maps.split(8)])
    assert windowed.shape == exact.shape
    assert (windowed - exact).abs().mean() < (chunked - exact).abs().mean()


def test_windows_keep_every_frame_in_order() -> None:
    for count in (1, 7, 8, 9, 13, 25, 50):
        frames = torch.arange(count, dtype=torch.float32)[:, None]
        assert torch.equal(torch.stack(list(decode_windows(iter, frames, 8, 3))), frames)


@pytest.mark.parametrize(
    ("total", "most", "sizes"), [(50, 13, {10}), (50, 50, {50}), (14, 5, {5, 4}), (9216, 1844, {1536})]
)
def test_chunks_are_alike_where_that_is_cheap(total: int, most: int, sizes: set[int]) -> None:
    parts = list(even_chunks(total, most))
    assert {part.stop - part.start for part in parts} == sizes
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]] and parts[-1].stop == total


def test_without_a_fused_kernel_the_score_matrix_stays_small() -> None:
    query, key, value = (torch.randn(2, 3, 50, 8) for _ in range(3))
    whole = torch.nn.functional.scaled_dot_product_attention(query, key, value)

    class Elsewhere(torch.Tensor):
        """A tensor that says it is on a device without fused attention."""

        device = torch.device("mps")  # type: ignore[assignment]

    sliced = layers.attend(query.as_subclass(Elsewhere), key, value, max_score_bytes=6 * 50 * 4 * 7)
    assert torch.allclose(sliced.as_subclass(torch.Tensor), whole, atol=1e-6)


def test_weights_start_where_kernels_want_them() -> None:
    packed: Packed = Case(5, SHAPES["square"]).packed.body
    assert all(entry.offset * 4 % 256 == 0 for stretch in packed.stretches for entry in stretch.entries)
