"""diffusers' own StableVideoDiffusionPipeline: the reference for the lean pipeline, and a choice in the config."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from diffusers import EDMDPMSolverMultistepScheduler, StableVideoDiffusionPipeline
from PIL import Image
from transformers import CLIPImageProcessor

from generator.clip import ClipSettings, Quality
from generator.memory import MemoryPlan, Residency
from generator.model.pipeline import Modules
from generator.model.sampling import SIGMA_MAX, SIGMA_MIN, ays_sigmas, draw_noise
from generator.protocol import Hooks, Phase, Progress
from generator.video.ffmpeg import Frame


class StockPipeline:
    """Renders a variant's clips as diffusers computes them. See `Pipeline`."""

    def __init__(self, modules: Modules, device: torch.device) -> None:
        self._modules = modules
        self._device = device

    def render(self, picture: Image.Image, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks) -> Iterator[Frame]:
        """See `Pipeline.render`. Unless the plan keeps them, the modules are back in host memory afterwards."""
        hooks.check()
        pipe = self._build(settings, plan)
        try:
            latents = self._denoise(pipe, picture, settings, hooks)
            frames = _decode(pipe, latents, settings, plan)
            for index, frame in enumerate(frames):
                hooks.check()
                yield np.ascontiguousarray(frame)
                hooks.progress(Progress(Phase.DECODE, index + 1, settings.frames))
        finally:
            # Otherwise a cancelled clip's UNet would still be on the device when the next clip's image encoder runs.
            pipe.maybe_free_model_hooks()
            pipe.remove_all_hooks()
            if not plan.keep_parts:
                pipe.to("cpu")

    def _build(self, settings: ClipSettings, plan: MemoryPlan) -> Any:
        modules = self._modules
        scheduler = modules.scheduler
        if settings.quality is Quality.BALANCED:
            # from_config would keep sigma_data 0.5, but SVD's data has unit variance, and it predicts v.
            scheduler = EDMDPMSolverMultistepScheduler(
                sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX, sigma_data=1.0, prediction_type="v_prediction"
            )
        pipe = StableVideoDiffusionPipeline(
            vae=modules.vae,
            image_encoder=modules.image_encoder,
            unet=modules.unet,
            scheduler=scheduler,
            feature_extractor=CLIPImageProcessor(),
        )
        pipe.set_progress_bar_config(disable=True)
        if plan.unet is Residency.OFFLOAD and self._device.type != "cpu":
            pipe.enable_model_cpu_offload(device=self._device)
        else:
            pipe.to(self._device)
        return pipe

    def _denoise(self, pipe: Any, picture: Image.Image, settings: ClipSettings, hooks: Hooks) -> torch.Tensor:
        """Return the clip's clean latents, 1 x frames x channels x height x width, on the device."""
        scale = pipe.vae_scale_factor
        channels = self._modules.vae.config.latent_channels
        shape = (1, settings.frames, channels, picture.height // scale, picture.width // scale)
        _, noise, _ = draw_noise(settings.seed, (1, 3, picture.height, picture.width), shape)

        def after_step(_pipe: Any, index: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            hooks.progress(Progress(Phase.DENOISE, index + 1, settings.steps))
            hooks.check()
            return tensors

        hooks.progress(Progress(Phase.PREPARE, 0, 1))
        chosen: dict[str, Any] = {"num_inference_steps": settings.steps}
        if settings.quality is Quality.FAST:
            chosen["sigmas"] = [*ays_sigmas(settings.steps), 0.0]
        with warnings.catch_warnings():
            # diffusers' schedulers pass numpy a tensor in a way that numpy 2 deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            result = pipe(
                picture,
                height=picture.height,
                width=picture.width,
                num_frames=settings.frames,
                min_guidance_scale=settings.min_guidance,
                max_guidance_scale=settings.max_guidance,
                fps=settings.conditioning_fps,
                motion_bucket_id=settings.motion_bucket,
                noise_aug_strength=settings.noise_augmentation,
                generator=torch.Generator("cpu").manual_seed(settings.seed),
                latents=noise.to(self._modules.unet.dtype),
                output_type="latent",
                callback_on_step_end=after_step,
                **chosen,
            )
        frames: torch.Tensor = result.frames
        return frames


@torch.no_grad()
def _decode(pipe: Any, latents: torch.Tensor, settings: ClipSettings, plan: MemoryPlan) -> Frame:
    """Return the frames of clean latents as one array, uint8, frames x height x width x 3."""
    together = settings.decode_chunk or plan.decode_frames or settings.frames
    decoded = pipe.decode_latents(latents.to(pipe._execution_device, pipe.vae.dtype), settings.frames, together)
    pixels = (decoded[0].permute(1, 2, 3, 0) / 2 + 0.5).clamp(0, 1) * 255
    frames: Frame = pixels.round().to(torch.uint8).cpu().numpy()
    return frames
