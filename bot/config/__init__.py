"""The operator's settings: config.toml and VIVANT_* environment variables, validated and frozen.

Tested in tests/bot/test_config.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyAddress,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config.cluster import ClusterConfig
from bot.config.credentials import CredentialsConfig
from bot.config.file import ConfigError, find_file, from_home, read_file
from bot.config.filter import FilterConfig
from bot.config.mistakes import PREFIX, foreign_variables, mend, sentence
from bot.config.token import other_secret
from bot.policy.language import ENGLISH, LANGUAGES
from bot.policy.quota import Limits as QuotaLimits
from bot.policy.quota import Quota
from generator.clip import Framing, Quality
from generator.errors import SettingsError, did_you_mean
from generator.memory import MIB, check_memory
from generator.picture.limits import PictureLimits
from generator.protocol import ExecutorConfig, check_device
from generator.variants import BUILT_IN, Variant

_PathText = Annotated[str, AfterValidator(from_home)]
"""a path that may begin with `~`"""


def _check_language(code: str) -> str:
    if code not in LANGUAGES:
        text = f"the bot does not speak {code!r}, only {', '.join(LANGUAGES)}.{did_you_mean(code, LANGUAGES)}"
        raise PydanticCustomError("unknown_language", "{text}", {"text": text})
    return code


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QueueConfig(_Section):
    """How many jobs a person or a server may have."""

    max_queued_per_user: int = Field(20, ge=1, le=1000)
    max_queued_per_server: int = Field(200, ge=0)
    max_running_per_user: int = Field(0, ge=0)
    max_attempts: int = Field(3, ge=1, le=10)
    role_weights: dict[str, int] = Field(default_factory=dict)
    """role id -> share in percent of one ordinary share"""

    @field_validator("role_weights")
    @classmethod
    def _positive(cls, value: dict[str, int]) -> dict[str, int]:
        for role, share in value.items():
            if not role.isdigit() or not 1 <= share <= 10_000:
                raise ValueError("role ids are numbers and weights lie between 1 and 10000")
        return value


class QuotaConfig(_Section):
    """How many clips and how much GPU time a person and a server may have in a day and at once."""

    person: Quota = Quota()
    roles: dict[str, Quota] = Field(default_factory=dict)
    """role id -> what its holders may have instead of `person`"""
    server: Quota = Quota()

    @field_validator("roles")
    @classmethod
    def _are_ids(cls, value: dict[str, Quota]) -> dict[str, Quota]:
        if not all(role.isdigit() for role in value):
            raise ValueError("role ids are numbers")
        return value

    def limits(self) -> QuotaLimits:
        """Return what the operator grants."""
        roles = {int(role): quota for role, quota in self.roles.items()}
        return QuotaLimits(person=self.person, roles=roles, server=self.server)


class PictureConfig(_Section):
    """What pictures are accepted."""

    max_mib: int = Field(25, ge=1, le=500)
    max_megapixels: int = Field(100, ge=1, le=400)


GPU_NAMES = "by nvidia-smi's number from 0 on or by its UUID (GPU-... or MIG-...)"


def _gpu_name(value: object) -> object:
    """Check one GPU's name; `"1"` is the number 1, as in CUDA_VISIBLE_DEVICES."""
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isdecimal() or text.startswith(("GPU-", "MIG-"))):
        raise ValueError(f"list each GPU once, {GPU_NAMES}")
    return int(text) if text.isdecimal() else text


GpuName = Annotated[int | str, BeforeValidator(_gpu_name)]


class GeneratorConfig(_Section):
    """How clips are rendered."""

    variant: str = "svd-xt"
    device: str = "auto"
    gpus: list[GpuName] = Field(default_factory=list)
    """one executor for each, by nvidia-smi's number or UUID; empty: one executor on `device`"""
    pipeline: Literal["lean", "stock"] = "lean"
    memory: str = "auto"
    fast_math: bool = False
    """let the GPU add up in half precision: faster on consumer cards, and approximate"""
    previews: bool = False
    """show on a card what the clip will be about, while it is made"""
    quality: Quality = Quality.QUALITY
    framing: Framing = Framing.CROP
    compile: bool = Field(False, exclude=True)
    """of earlier versions; does nothing any more"""
    max_steps: int = Field(50, ge=1, le=100)
    threads: int = Field(0, ge=0)

    @field_validator("device")
    @classmethod
    def _is_device(cls, value: str) -> str:
        return _checked(check_device, value)

    @field_validator("memory")
    @classmethod
    def _is_memory(cls, value: str) -> str:
        return _checked(check_memory, value)

    @field_validator("gpus")
    @classmethod
    def _fits_the_device(cls, value: list[GpuName], info: ValidationInfo) -> list[GpuName]:
        if len(set(value)) < len(value):
            raise ValueError(f"list each GPU once, {GPU_NAMES}")
        device = info.data.get("device", "auto")  # not there when it is wrong itself
        if value and device not in ("auto", "cuda"):  # each GPU process sees one card only, as cuda:0
            raise ValueError(f'gpus is for CUDA cards: set device to "auto" instead of "{device}", or empty gpus')
        return value


def _checked(check: Callable[[str], None], value: str) -> str:
    try:
        check(value)
    except SettingsError as error:
        raise ValueError(error.text) from error
    return value


class VariantConfig(_Section):
    """A variant of the operator's own."""

    source: _PathText
    revision: str | None = None
    frames: int = Field(25, ge=2, le=50)
    turbo: bool = False
    turbo_unet: _PathText | None = None
    licence: str = ""
    licence_url: str = ""
    description: str = ""
    landscape: tuple[int, int] = (1024, 576)
    portrait: tuple[int, int] = (576, 1024)
    square: tuple[int, int] = (768, 768)


class RetentionConfig(_Section):
    """How long things stay."""

    clip_hours: int = Field(24, ge=1)
    row_days: int = Field(30, ge=1)
    min_free_mib: int = Field(1024, ge=0)


class Config(BaseSettings):
    """Everything an operator can set. `load_config` reads it from the file and from the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    token: SecretStr = SecretStr("")
    data_dir: Annotated[Path, BeforeValidator(lambda value: from_home(str(value)))] = Path("data")
    owners: frozenset[int] = frozenset()
    admins: frozenset[int] = frozenset()
    allowed_guilds: frozenset[int] = frozenset()
    proxy: str | None = None
    privacy_url: str | None = None
    language: Annotated[str, AfterValidator(_check_language)] = ENGLISH.code
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    metrics_port: int = Field(0, ge=0, le=65535)
    metrics_address: IPvAnyAddress = IPv4Address("127.0.0.1")
    queue: QueueConfig = QueueConfig()
    quota: QuotaConfig = QuotaConfig()
    picture: PictureConfig = PictureConfig()
    generator: GeneratorConfig = GeneratorConfig()
    retention: RetentionConfig = RetentionConfig()
    cluster: ClusterConfig = ClusterConfig()
    filter: FilterConfig = FilterConfig()
    credentials: CredentialsConfig = CredentialsConfig()
    variants: dict[str, VariantConfig] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given and nothing else: `load_config` reads the environment, and names it in its sentences."""
        return (init_settings,)

    @field_validator("token")
    @classmethod
    def _without_line_end(cls, value: SecretStr) -> SecretStr:
        return SecretStr(value.get_secret_value().strip())  # a file written on Windows ends its lines with CR

    @model_validator(mode="after")
    def _variant_exists(self) -> Self:
        variant, known = self.generator.variant, sorted(self.all_variants())
        if variant not in known:
            text = f"is {variant!r}, but the known variants are: {', '.join(known)}.{did_you_mean(variant, known)}"
            raise PydanticCustomError("unknown_variant", "{text}", {"text": text})
        return self

    @property
    def token_problem(self) -> str:
        """Say why the token cannot be one, without asking Discord; nothing when it may be."""
        token = self.token.get_secret_value()
        if other := other_secret(token):
            return other
        if token.isascii() and token.isprintable() and " " not in token:
            return ""
        return "it holds a space, a line end or another letter that no token has"

    def executor(self, preload: str) -> ExecutorConfig:
        """Return what each executor is told; `preload` is the variant that it loads first."""
        settings = self.generator
        return ExecutorConfig(
            variants=self.all_variants(),
            device=settings.device,
            pipeline=settings.pipeline,
            memory=settings.memory,
            fast_math=settings.fast_math,
            previews=settings.previews,
            preload=preload,
            state_folder=self.data_dir / "executor",
            threads=settings.threads,
            executors=max(1, len(settings.gpus)),
        )

    def picture_limits(self) -> PictureLimits:
        """Return what pictures are accepted."""
        return PictureLimits(max_bytes=self.picture.max_mib * MIB, max_pixels=self.picture.max_megapixels * 1_000_000)

    def all_variants(self) -> dict[str, Variant]:
        """Return the built-in variants with the operator's changes, and the operator's own."""
        return BUILT_IN | {name: _variant(name, item) for name, item in self.variants.items()}


def _variant(name: str, item: VariantConfig) -> Variant:
    values = item.model_dump(exclude_unset=name in BUILT_IN)
    if item.turbo:  # a distilled UNet wants few calls and no guidance
        values |= {"quality": Quality.FAST, "max_guidance": 1.0}
    if name in BUILT_IN:  # its pinned revision is of the repository that the operator's source replaces
        return replace(BUILT_IN[name], **{"revision": None, **values})
    return Variant(name=name, **values)


class _Environment(EnvSettingsSource):
    """Reads VIVANT_* variables. Where JSON is wanted, other text stays as it is: its field refuses it by name."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def load_config(path: Path | None = None) -> Config:
    """Read `path`, else $VIVANT_CONFIG, else config.toml when it exists; VIVANT_* variables win over the file.

    Raises ConfigError with one sentence for each mistake, all of them at once.
    """
    mistakes, file, found = foreign_variables(Config, os.environ), None, dict[str, Any]()
    try:
        file = find_file(path)
        found = read_file(file) if file is not None else {}
    except ConfigError as error:
        mistakes.append(str(error))
    values = _merged(found, _Environment(Config)())
    while True:  # checks between several settings run only once each of them is right: mend, and look again
        try:
            config = Config(**values)
            break
        except ValidationError as error:
            new = [sentence(Config, file, item) for item in error.errors()]
            if set(new) <= set(mistakes):
                break
            mistakes += [text for text in new if text not in mistakes]
            for item in error.errors():
                mend(values, item)
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return config


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        for key, value in above.items()
    }
    return {**below, **both}
