"""What the picture and the settings tell the UNet, and the UNet with classifier-free guidance as a denoiser.

A second card may compute the unconditional half of each step. The halves are independent, so the clip is the same.
Tested in tests/generator/model/lean/test_render.py.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from generator.memory import BESIDE_TORCH_GIB, GIB
from generator.model.lean.chunks import Check
from generator.model.lean.unet import ClipConstants, LeanUNet
from generator.model.sampling import model_input, to_clean

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What the UNet is told of the picture and of the guidance."""

    context: Tensor
    """items x 1 x width: the picture's embedding; in a guided clip the unconditional item, all zero, comes first"""
    picture: Tensor
    """height x width x channels in latent cells: the picture's latents"""
    guidance: Tensor | None
    """frames x 1 x 1 x 1: the guidance scale of each frame; None: not guided"""


class Partner:
    """A second card with a UNet of its own, which computes the unconditional half of one clip's steps.

    It works on a thread of its own, because launching a half's thousands of kernels takes long. The halves meet in host
    memory: that is 2 MB each way, and works where cards cannot copy to each other.
    """

    def __init__(
        self, device: torch.device, place: Callable[[], tuple[LeanUNet, ClipConstants]], is_lent: Callable[[], bool]
    ) -> None:
        self._device = device
        self._is_lent = is_lent
        self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix="partner")
        self._placed: tuple[LeanUNet, ClipConstants] | None = None
        self._placing: Future[None] = self._pool.submit(self._place, place)

    def start(self, scaled: Tensor, step: int, check: Check) -> Future[Tensor] | None:
        """Begin a half, and return what will be its prediction in host memory; None: this card is lent no more.

        `scaled` is frames x height x width x channels in latent cells, as `model_input` returns it.
        """
        if self._pool is not None and not self._is_lent():
            self.close()
        return None if self._pool is None else self._pool.submit(self._half, scaled.cpu(), step, check)

    def finish(self, half: Future[Tensor]) -> Tensor | None:
        """Wait for a half; None when it failed there, mostly for want of room: the card is used no more."""
        try:
            return half.result()
        except RuntimeError as error:  # as all of torch's are; what breaks the process fails on the first card as well
            log.warning("%s fails, the rest of the clip is rendered on one card: %s", self._device, error)
            traceback.clear_frames(error.__traceback__)  # they hold tensors on the card
        self.close()
        return None

    def close(self) -> None:
        """Free what is on the card."""
        if self._pool is None:
            return
        self._pool.shutdown()
        self._pool = self._placed = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    @torch.no_grad()
    def _place(self, place: Callable[[], tuple[LeanUNet, ClipConstants]]) -> None:
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)  # of this thread: Triton launches on it
        self._placed = place()

    @torch.no_grad()
    def _half(self, scaled: Tensor, step: int, check: Check) -> Tensor:
        self._placing.result()
        assert self._placed is not None
        unet, constants = self._placed
        given = scaled.to(self._device)
        # The unconditional half sees neither the picture's latents nor its embedding.
        return unet(torch.cat([given, torch.zeros_like(given)], -1)[None], constants, step, check)[0].cpu()


def borrow(
    lent: Callable[[], str | None],
    place: Callable[[torch.device], tuple[LeanUNet, ClipConstants]],
    needed: Callable[[int], int],
) -> Partner | None:
    """Place a UNet on the card that is lent for half of the steps; None where none is, or it lacks room.

    `lent` returns the card's device, None as soon as it is lent no more. `needed` is called with the bytes that others
    hold there, and returns those that must be free.
    """
    name = lent()
    if name is None:
        return None
    device = torch.device(name)
    if device.type == "cuda":
        try:
            free, total = torch.cuda.mem_get_info(device)
        except RuntimeError as error:  # the first look at a card needs room for a context
            log.info("%s is not used: %s", device, error)
            return None
        least = needed(max(0, total - free - int(BESIDE_TORCH_GIB * GIB)))
        if free < least:
            log.info("%s is not used: %d MiB are free there, %d are needed", device, free >> 20, least >> 20)
            return None
    return Partner(device, partial(place, device), lambda: lent() is not None)


@dataclass(frozen=True, slots=True)
class GuidedUNet:
    """The UNet with classifier-free guidance as a denoiser."""

    unet: LeanUNet
    conditioning: Conditioning
    constants: ClipConstants
    split: bool
    """compute the unconditional and the conditional half one after the other"""
    check: Check
    dtype: torch.dtype
    partner: Partner | None = None
    """computes the unconditional half meanwhile, as long as it is lent"""

    def denoise(self, noisy: Tensor, sigma: float, step: int) -> Tensor:
        """Return the clean latents that the model expects behind `noisy`. See `sampling.Denoise`.

        Both are frames x height x width x channels, in single precision.
        """
        scaled = model_input(noisy, sigma).to(self.dtype)
        picture = self.conditioning.picture.expand_as(scaled)
        pictured = torch.cat([scaled, picture], -1)[None]
        guidance = self.conditioning.guidance
        if guidance is None:
            return to_clean(self.unet(pictured, self.constants, step, self.check)[0], noisy, sigma)
        without, guided = self._halves(scaled, pictured, step)
        return to_clean(without + guidance * (guided - without), noisy, sigma)

    def _halves(self, scaled: Tensor, pictured: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Return the unconditional and the conditional prediction, in single precision."""
        half = None if self.partner is None else self.partner.start(scaled, step, self.check)
        # The unconditional half sees neither the picture's latents nor its embedding.
        plain = torch.cat([scaled, torch.zeros_like(scaled)], -1)[None]
        if half is None and not self.split:
            without, guided = self.unet(torch.cat([plain, pictured]), self.constants, step, self.check).float()
            return without, guided
        guided = self.unet(pictured, self.constants, step, self.check, item=1)[0].float()
        found = None if half is None or self.partner is None else self.partner.finish(half)
        if found is None:
            return self.unet(plain, self.constants, step, self.check, item=0)[0].float(), guided
        return found.to(guided.device).float(), guided
