"""The operator's settings: config.toml and VIVANT_* environment variables, validated and frozen."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as BadSettings

from generator.clip import Framing, Quality
from generator.errors import SettingsError
from generator.memory import check_memory
from generator.protocol import check_device
from generator.variants import BUILT_IN, Variant


class ConfigError(Exception):
    """The configuration cannot be used; the text says which key and what to do."""


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


class PictureConfig(_Section):
    """What pictures are accepted."""

    max_mib: int = Field(25, ge=1, le=500)
    max_megapixels: int = Field(100, ge=1, le=400)


class GeneratorConfig(_Section):
    """How clips are rendered."""

    variant: str = "svd-xt"
    device: str = "auto"
    gpus: list[int] = Field(default_factory=list)
    """one executor for each; empty: one executor on `device`"""
    pipeline: Literal["lean", "stock"] = "lean"
    memory: str = "auto"
    quality: Quality = Quality.QUALITY
    framing: Framing = Framing.CROP
    compile: bool = False
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
    def _each_once(cls, value: list[int]) -> list[int]:
        if min(value, default=0) < 0 or len(set(value)) < len(value):
            raise ValueError("list each GPU once, by its number from 0 on")
        return value

    @model_validator(mode="after")
    def _gpus_fit_the_device(self) -> Self:
        if self.gpus and self.device not in ("auto", "cuda"):  # each GPU process sees one card only, as cuda:0
            raise ValueError(f'gpus is for CUDA cards: set device to "auto" instead of "{self.device}", or empty gpus')
        return self


def _checked(check: Callable[[str], None], value: str) -> str:
    try:
        check(value)
    except SettingsError as error:
        raise ValueError(error.text) from error
    return value


class VariantConfig(_Section):
    """A variant of the operator's own."""

    source: str
    revision: str | None = None
    frames: int = Field(25, ge=2, le=50)
    turbo: bool = False
    turbo_unet: str | None = None
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
    """Everything an operator can set. Environment wins over the file: VIVANT_TOKEN, VIVANT_GENERATOR__DEVICE, ..."""

    model_config = SettingsConfigDict(
        env_prefix="VIVANT_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    token: SecretStr = SecretStr("")
    data_dir: Path = Path("data")
    owners: frozenset[int] = frozenset()
    admins: frozenset[int] = frozenset()
    allowed_guilds: frozenset[int] = frozenset()
    proxy: str | None = None
    privacy_url: str | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_port: int = Field(0, ge=0, le=65535)
    queue: QueueConfig = QueueConfig()
    picture: PictureConfig = PictureConfig()
    generator: GeneratorConfig = GeneratorConfig()
    retention: RetentionConfig = RetentionConfig()
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
        """Put the environment above the file, whose content comes in as keyword arguments."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _variant_exists(self) -> Self:
        if self.generator.variant not in self.all_variants():
            names = ", ".join(sorted(self.all_variants()))
            raise ValueError(f"generator.variant is {self.generator.variant!r}, but the known variants are: {names}")
        return self

    def all_variants(self) -> dict[str, Variant]:
        """Return the built-in variants with the operator's changes, and the operator's own."""
        return BUILT_IN | {name: _variant(name, item) for name, item in self.variants.items()}


def _variant(name: str, item: VariantConfig) -> Variant:
    values = item.model_dump(exclude_unset=name in BUILT_IN)
    for key in ("source", "turbo_unet"):
        if (values.get(key) or "").startswith("~"):
            values[key] = str(Path(values[key]).expanduser())
    if item.turbo:  # a distilled UNet wants few calls and no guidance
        values |= {"quality": Quality.FAST, "max_guidance": 1.0}
    if name in BUILT_IN:  # its pinned revision is of the repository that the operator's source replaces
        return replace(BUILT_IN[name], **{"revision": None, **values})
    return Variant(name=name, **values)


def load_config(path: Path | None = None) -> Config:
    """Read `path`, else $VIVANT_CONFIG, else config.toml when it exists.

    Raises ConfigError with one sentence for each mistake.
    """
    chosen = path or Path(os.environ.get("VIVANT_CONFIG", "config.toml"))
    if path is not None and not path.is_file():
        raise ConfigError(f"There is no config file at {path}. Copy config.example.toml there and fill in the token.")
    try:
        return Config(**tomllib.loads(chosen.read_text()) if chosen.is_file() else {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{chosen} is not valid TOML: {error}") from error
    except BadSettings as error:  # a variable that is no JSON where a list or a table is wanted
        raise ConfigError(f"environment: {error}. Lists are written as [1, 2] there.") from error
    except ValidationError as error:
        raise ConfigError("\n".join(_sentence(chosen, item) for item in error.errors())) from error


def _sentence(path: Path, item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    variable = "VIVANT_" + key.replace(".", "__").upper()
    where = variable if variable in os.environ else str(path) if path.is_file() else "environment"
    if item["type"] == "extra_forbidden":
        return f"{where}: there is no setting {key!r}. config.example.toml lists them all."
    return ": ".join(filter(None, (where, key, item["msg"].removeprefix("Value error, ")))) + "."
