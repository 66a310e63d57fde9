"""The operator's settings: config.toml and VIVANT_* environment variables, validated and frozen.

Tested in tests/bot/test_config.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyAddress,
    SecretStr,
    ValidationError,
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
from bot.config.generator import GeneratorConfig
from bot.config.mistakes import PREFIX, foreign_variables, mend, sentence
from bot.config.sections import PictureConfig, QueueConfig, QuotaConfig, RetentionConfig
from bot.config.token import other_secret
from bot.config.variants import VariantConfig
from bot.policy.language import ENGLISH, LANGUAGES
from generator.errors import did_you_mean
from generator.memory import MIB
from generator.picture.limits import PictureLimits
from generator.protocol import ExecutorConfig
from generator.variants import BUILT_IN, Variant


def _check_language(code: str) -> str:
    if code not in LANGUAGES:
        text = f"the bot does not speak {code!r}, only {', '.join(LANGUAGES)}.{did_you_mean(code, LANGUAGES)}"
        raise PydanticCustomError("unknown_language", "{text}", {"text": text})
    return code


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
        return BUILT_IN | {name: item.variant(name) for name, item in self.variants.items()}


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
