"""diffusers' own StableVideoDiffusionPipeline: the reference for the lean pipeline, and a choice in the config."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKLTemporalDecoder,
    EDMDPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
)
from PIL import Image
from safetensors import SafetensorError
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from generator.clip import ClipSettings, Quality, draft_bucket, draft_size
from generator.memory import MemoryPlan, Residency, decoded_together
from generator.model.checkpoint.layout import read_module
from generator.model.checkpoint.staged import staged
from generator.model.sampling import SIGMA_MAX, SIGMA_MIN, draw_noise, plan_steps, shrink_noise
from generator.model.weights import OnProgress, explained, find_folders, not_those_of, require_all
from generator.protocol import Hooks, Phase, Progress
from generator.variants import Variant
from generator.video.ffmpeg import Frame

MODULE_CLASSES: dict[str, Any] = {
    "unet": UNetSpatioTemporalConditionModel,
    "vae": AutoencoderKLTemporalDecoder,
    "image_encoder": CLIPVisionModelWithProjection,
}


@dataclass(frozen=True, slots=True)
class Modules:
    """A variant's modules in host memory, in evaluation mode, and its scheduler: objects of diffusers' classes."""

    unet: Any
    vae: Any
    image_encoder: Any
    scheduler: Any


def load_modules(variant: Variant, dtype: torch.dtype, on_progress: OnProgress | None = None) -> Modules:
    """Load every module of the variant into host memory, in `dtype`; with the distilled UNet if the variant names one.

    Raises WeightsUnavailable with `why` and `remedy`.
    """
    tell = on_progress or (lambda progress: None)
    loaded: dict[str, Any] = {}
    with explained(variant):
        found = find_folders(variant, tell)
        scheduler = EulerDiscreteScheduler.from_config(found.scheduler)
        for done, name in enumerate(MODULE_CLASSES):
            tell(Progress(Phase.LOAD, done, len(MODULE_CLASSES)))
            loaded[name] = _load_module(name, found.modules[name], dtype)
    tell(Progress(Phase.LOAD, len(MODULE_CLASSES), len(MODULE_CLASSES)))
    return Modules(**loaded, scheduler=scheduler)


def _load_module(name: str, folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    is_encoder = name == "image_encoder"
    with staged(read_module(folder), "model" if is_encoder else "diffusion_pytorch_model") as stage:
        try:
            loaded: tuple[torch.nn.Module, dict[str, Any]] = MODULE_CLASSES[name].from_pretrained(
                stage,
                dtype=dtype if is_encoder else None,
                torch_dtype=None if is_encoder else dtype,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise not_those_of(name, folder, error) from error
    module, found = loaded
    require_all(folder, set(found["missing_keys"]))
    return module.eval().requires_grad_(False)


class SecondOrderScheduler(EDMDPMSolverMultistepScheduler):  # type: ignore[misc]
    """Diffusers' DPM-Solver++(2M) on exactly the noise levels that the lean pipeline has for a quality."""

    def __init__(self, quality: Quality, sigma_min: float, sigma_max: float) -> None:
        # SVD's data has unit variance, and it predicts v.
        super().__init__(sigma_min=sigma_min, sigma_max=sigma_max, sigma_data=1.0, prediction_type="v_prediction")
        self._quality = quality

    def set_timesteps(self, num_inference_steps: int, device: torch.device | str | None = None) -> None:
        """See diffusers' schedulers."""
        super().set_timesteps(num_inference_steps, device)
        limits = {"sigma_min": self.config.sigma_min, "sigma_max": self.config.sigma_max}
        self.sigmas = torch.tensor(plan_steps(self._quality, num_inference_steps, **limits).sigmas)
        self.timesteps = self.precondition_noise(self.sigmas[:-1]).to(device)


class StockPipeline:
    """Renders a variant's clips as diffusers computes them. See `Pipeline`."""

    def __init__(self, modules: Modules, device: torch.device) -> None:
        self._modules = modules
        self._device = device

    def prepare(self, plan: MemoryPlan, on_module: Callable[[], None]) -> None:
        """See `Pipeline.prepare`. The modules are in host memory already."""

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
        pipe = StableVideoDiffusionPipeline(
            vae=modules.vae,
            image_encoder=modules.image_encoder,
            unet=modules.unet,
            scheduler=self._scheduler(settings.quality),
            feature_extractor=CLIPImageProcessor(),
        )
        pipe.set_progress_bar_config(disable=True)
        if plan.unet is Residency.OFFLOAD and self._device.type != "cpu":
            pipe.enable_model_cpu_offload(device=self._device)
        else:
            pipe.to(self._device)
        return pipe

    def _scheduler(self, quality: Quality) -> Any:
        """Return a scheduler with the solver and the levels that the lean pipeline has for this quality."""
        own = self._modules.scheduler
        if quality is Quality.QUALITY:
            return own
        lowest, highest = (getattr(own.config, name, None) for name in ("sigma_min", "sigma_max"))
        return SecondOrderScheduler(quality, lowest or SIGMA_MIN, highest or SIGMA_MAX)

    def _denoise(self, pipe: Any, picture: Image.Image, settings: ClipSettings, hooks: Hooks) -> torch.Tensor:
        """Return the clip's clean latents, 1 x frames x channels x height x width, on the device."""
        scale = pipe.vae_scale_factor
        channels = self._modules.vae.config.latent_channels
        shape = (1, settings.frames, channels, picture.height // scale, picture.width // scale)
        _, noise, _ = draw_noise(settings.seed, (1, 3, picture.height, picture.width), shape)
        bucket = settings.motion_bucket
        if settings.drafts:
            cell = scale * 2 ** (len(self._modules.unet.config.block_out_channels) - 1)
            size = draft_size(picture.size, cell)
            bucket = draft_bucket(settings, picture.size, size)
            picture = picture.resize(size, Image.Resampling.LANCZOS)
            noise = shrink_noise(noise, picture.height // scale, picture.width // scale)

        def after_step(_pipe: Any, index: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            hooks.progress(Progress(Phase.DENOISE, index + 1, settings.steps))
            hooks.check()
            return tensors

        hooks.progress(Progress(Phase.PREPARE, 0, 1))
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
                motion_bucket_id=bucket,
                noise_aug_strength=settings.noise_augmentation,
                generator=torch.Generator("cpu").manual_seed(settings.seed),
                latents=noise.to(self._modules.unet.dtype),
                output_type="latent",
                callback_on_step_end=after_step,
                num_inference_steps=settings.steps,
            )
        frames: torch.Tensor = result.frames
        return frames


@torch.no_grad()
def _decode(pipe: Any, latents: torch.Tensor, settings: ClipSettings, plan: MemoryPlan) -> Frame:
    """Return the frames of clean latents as one array, uint8, frames x height x width x 3."""
    together = decoded_together(plan, settings.frames, settings.decode_chunk)
    decoded = pipe.decode_latents(latents.to(pipe._execution_device, pipe.vae.dtype), settings.frames, together)
    pixels = (decoded[0].permute(1, 2, 3, 0) / 2 + 0.5).clamp(0, 1) * 255
    frames: Frame = pixels.round().to(torch.uint8).cpu().numpy()
    return frames
