"""The lean pipeline: condition, encode, denoise and decode one clip. A render can be left at any check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from generator.clip import ClipSettings, draft_bucket, draft_size
from generator.errors import BadFrames
from generator.memory import (
    WINDOW_FRAMES,
    WINDOW_OVERLAP,
    Decode,
    MemoryPlan,
    Residency,
    decoded_together,
)
from generator.model.lean.decoder import LeanDecoder, decode_windows, pack_decoder
from generator.model.lean.encoders import (
    CLIP_MEAN,
    CLIP_SIZE,
    CLIP_STD,
    Tensors,
    encode_image,
    encode_picture,
    encoder_weights,
    pack_module,
    shrink,
)
from generator.model.lean.guidance import Conditioning, GuidedUNet
from generator.model.lean.residency import ResidentWeights, StreamedWeights, WeightSource
from generator.model.lean.unet import LeanUNet, pack_unet
from generator.model.sampling import (
    SIGMA_MAX,
    SIGMA_MIN,
    Schedule,
    draw_again,
    draw_noise,
    plan_steps,
    sample,
    shrink_noise,
    timestep_of,
)
from generator.model.weights import Checkpoint
from generator.protocol import Hooks, Phase, Progress
from generator.video.ffmpeg import Frame

Held = TypeVar("Held")


class LeanPipeline:
    """Renders clips with a variant's modules. A plan may keep them on the device; otherwise they are in host memory."""

    def __init__(
        self, checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, *, turbo: bool = False
    ) -> None:
        unet, vae, image = checkpoint.unet, checkpoint.vae, checkpoint.image_encoder
        self.unet = pack_unet(unet.config, unet.tensors, dtype, device)
        self.decoder = pack_decoder(vae.config, vae.tensors, dtype, device)
        self.image_encoder = pack_module(image.config, image.tensors, dtype, device)
        self.encoder = pack_module(vae.config, encoder_weights(vae.tensors), dtype, device)
        self.dtype = dtype
        """of the UNet and the decoder"""
        self._vae = vae.config
        self._scheduler = checkpoint.scheduler
        self._cell = self.scale * 2 ** (len(unet.config["block_out_channels"]) - 1)
        """of so many pixels both sides of a clip are multiples"""
        self._device = device
        self._turbo = turbo
        self._kept: dict[str, Any] = {}
        self._kept_for: MemoryPlan | None = None

    @property
    def scale(self) -> int:
        """Return how many pixels wide a latent cell is."""
        return int(2 ** (len(self._vae["block_out_channels"]) - 1))

    @torch.no_grad()
    def render(self, picture: Image.Image, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks) -> Iterator[Frame]:
        """See `Pipeline.render`."""
        self.prepare(plan)
        latents = self.denoise(picture, settings, plan, hooks)
        self._clear_cache(plan)
        yield from self.decode(latents, settings, plan, hooks)

    def prepare(self, plan: MemoryPlan, on_module: Callable[[], None] = lambda: None) -> None:
        """See `Pipeline.prepare`."""
        if plan != self._kept_for:
            self.release()
            self._kept_for = plan
        modules = (
            ((self.unet.body, self.unet.ends), (self._placed_unet,)),
            ((self.encoder.packed, self.decoder.body), (self._placed_encoder, self._placed_decoder)),
            ((self.image_encoder.packed,), (self._placed_image_encoder,)),
        )

        def read(module: int) -> None:
            weights, place = modules[module]
            _ = [each(plan) for each in place] if plan.keep_parts else [each.flat for each in weights]

        _ = self.unet.folded.flat  # no plan keeps these on the device
        # Pinning one module's memory takes about as long as reading another's. On the device there is nothing to pin.
        with ThreadPoolExecutor(1 if plan.keep_parts else len(modules)) as readers:
            for _ in readers.map(read, range(len(modules))):
                on_module()

    def release(self) -> None:
        """Free what is kept on the device between clips."""
        self._kept.clear()
        self._kept_for = None

    def denoise(self, picture: Image.Image, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks) -> Tensor:
        """Return the clip's clean latents, frames x height x width x channels in latent cells, single precision.

        `picture` is RGB of the clip's size; a draft's latents are fewer. Raises what `hooks.check` raises.
        """
        schedule = self._schedule(settings)
        scale, channels = self.scale, self._vae["latent_channels"]
        shape = (1, settings.frames, channels, picture.height // scale, picture.width // scale)
        picture_noise, noise, rng = draw_noise(settings.seed, (1, 3, picture.height, picture.width), shape)
        bucket = settings.motion_bucket
        if settings.drafts:
            size = draft_size(picture.size, self._cell)
            bucket = draft_bucket(settings, picture.size, size)
            picture = picture.resize(size, Image.Resampling.LANCZOS)
            picture_noise = shrink_noise(picture_noise, picture.height, picture.width)
            noise = shrink_noise(noise, picture.height // scale, picture.width // scale)
        conditioning = self._condition(picture, picture_noise, settings, plan, hooks)
        self._clear_cache(plan)
        unet = self._placed_unet(plan)
        ids = (settings.conditioning_fps - 1, bucket, settings.noise_augmentation)
        times = [timestep_of(sigma) for sigma in schedule.sigmas[:-1]]
        constants = unet.prepare(conditioning.context, ids, times, settings.frames)
        guided = GuidedUNet(unet, conditioning, constants, plan.split_cfg, hooks.check, self.dtype)

        newest = torch.empty(0)

        def denoise(noisy: Tensor, sigma: float, index: int) -> Tensor:
            nonlocal newest
            newest = guided.denoise(noisy, sigma, index)
            return newest

        def on_step(done: int, of: int) -> None:
            hooks.check()
            preview = hooks.preview(lambda: newest[settings.frames // 2].float().cpu().numpy()) if done else ""
            hooks.progress(Progress(Phase.DENOISE, done, of, preview))

        start = noise[0].permute(0, 2, 3, 1).contiguous().to(self._device)
        return sample(denoise, start, schedule, lambda noisy: draw_again(rng, noisy, (shape[-2], shape[-1])), on_step)

    def _schedule(self, settings: ClipSettings) -> Schedule:
        lowest, highest = (self._scheduler.get(name) for name in ("sigma_min", "sigma_max"))
        return plan_steps(
            settings.quality,
            settings.steps,
            turbo=self._turbo,
            sigma_min=lowest or SIGMA_MIN,
            sigma_max=highest or SIGMA_MAX,
        )

    def _condition(
        self, picture: Image.Image, noise: Tensor, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks
    ) -> Conditioning:
        hooks.check()
        hooks.progress(Progress(Phase.PREPARE, 0, 2))
        pixels = torch.from_numpy(np.array(picture)).to(self._device).permute(2, 0, 1)[None].float() / 127.5 - 1
        embedded = self._embed(pixels, plan)
        hooks.check()
        hooks.progress(Progress(Phase.PREPARE, 1, 2))
        latents = self._encode(pixels + settings.noise_augmentation * noise.to(self._device), plan)
        hooks.progress(Progress(Phase.PREPARE, 2, 2))
        guided = settings.max_guidance > 1 and not self._turbo
        ramp = torch.linspace(settings.min_guidance, settings.max_guidance, settings.frames, device=self._device)
        return Conditioning(
            context=torch.cat([torch.zeros_like(embedded), embedded]) if guided else embedded,
            picture=latents[0].permute(1, 2, 0).contiguous(),
            guidance=ramp[:, None, None, None] if guided else None,
        )

    def _embed(self, pixels: Tensor, plan: MemoryPlan) -> Tensor:
        """Return the image encoder's embedding, 1 x 1 x width, of 1 x 3 x height x width pixels from -1 to 1."""
        small = (shrink(pixels, CLIP_SIZE) + 1) / 2
        mean, std = (torch.tensor(values, device=self._device)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
        normalised = ((small - mean) / std).to(self.dtype)
        return encode_image(self._placed_image_encoder(plan), self.image_encoder.config, normalised)[:, None]

    def _encode(self, pixels: Tensor, plan: MemoryPlan) -> Tensor:
        """Return the latents, 1 x channels x height x width in latent cells, of 1 x 3 x height x width pixels."""
        tensors = self._placed_encoder(plan)
        return encode_picture(tensors, self.encoder.config, pixels.to(self._encoder_dtype)).to(self.dtype)

    @torch.no_grad()
    def decode(self, latents: Tensor, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks) -> Iterator[Frame]:
        """Return the frames of clean latents in order, each uint8, height x width x 3.

        `latents` is frames x height x width x channels in latent cells. Raises BadFrames(kind="nan") when the latents
        or a frame are not finite, and what `hooks.check` raises.
        """
        if not torch.isfinite(latents).all():
            raise BadFrames("the latents are not finite", kind="nan")
        hooks.progress(Progress(Phase.DECODE, 0, settings.frames))
        decoder = self._placed_decoder(plan)
        scaled = (latents / self._vae["scaling_factor"]).to(self.dtype)
        for index, pixels in enumerate(_decoded(decoder, scaled, settings, plan, hooks)):
            hooks.check()
            frame = _to_frame(pixels)
            hooks.progress(Progress(Phase.DECODE, index + 1, settings.frames))
            yield frame

    def place_unet(self, plan: MemoryPlan) -> LeanUNet:
        """Return the UNet on the device, its weights resident or streamed as the plan says."""
        weights: WeightSource
        if plan.unet is Residency.STREAMED:
            weights = StreamedWeights(self.unet.body, self._device)
        else:
            weights = ResidentWeights(self.unet.body, self._device)
        return LeanUNet(self.unet, weights, self._device, plan.frames_per_chunk)

    @property
    def _encoder_dtype(self) -> torch.dtype:
        return torch.float32 if self._vae["force_upcast"] else self.dtype

    def _placed_unet(self, plan: MemoryPlan) -> LeanUNet:
        return self._hold(plan, "unet", lambda: self.place_unet(plan))

    def _placed_encoder(self, plan: MemoryPlan) -> Tensors:
        return self._hold(plan, "encoder", lambda: self.encoder.on_device(self._device, self._encoder_dtype))

    def _placed_image_encoder(self, plan: MemoryPlan) -> Tensors:
        return self._hold(plan, "image-encoder", lambda: self.image_encoder.on_device(self._device, self.dtype))

    def _placed_decoder(self, plan: MemoryPlan) -> LeanDecoder:
        def place() -> LeanDecoder:
            return LeanDecoder(self.decoder, ResidentWeights(self.decoder.body, self._device))

        return self._hold(plan, "decoder", place)

    def _hold(self, plan: MemoryPlan, name: str, place: Callable[[], Held]) -> Held:
        """Return what `place` puts on the device, or, where the plan keeps modules, what it put there before."""
        if not plan.keep_parts:
            return place()
        if name not in self._kept:
            self._kept[name] = place()
        kept: Held = self._kept[name]
        return kept

    def _clear_cache(self, plan: MemoryPlan) -> None:
        """Hand freed memory back to the driver: the next phase needs blocks of other sizes than the last one's."""
        if self._device.type == "cuda" and not plan.keep_parts:
            torch.cuda.empty_cache()


def _decoded(
    decoder: LeanDecoder, latents: Tensor, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks
) -> Iterator[Tensor]:
    together = decoded_together(plan, settings.frames, settings.decode_chunk)
    if settings.decode_chunk == together < settings.frames:
        return (frame for chunk in latents.split(together) for frame in decoder.decode(chunk, hooks.check))
    if plan.decode is Decode.WINDOWED:
        window = plan.decode_frames or WINDOW_FRAMES
        return decode_windows(lambda some: decoder.decode(some, hooks.check), latents, window, WINDOW_OVERLAP)
    return decoder.decode(latents, hooks.check)


def _to_frame(pixels: Tensor) -> Frame:
    """Turn height x width x 3 pixels of -1 to 1 into a uint8 array.

    The conversion runs on the device, so that a quarter of the bytes is copied. Raises BadFrames(kind="nan").
    """
    if not torch.isfinite(pixels).all():
        raise BadFrames("a decoded frame is not finite", kind="nan")
    frame: Frame = ((pixels.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return frame
