"""The operator's own variants, and changes of the built-in ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, model_validator

from bot.config.file import from_home
from bot.config.sections import Section
from generator.clip import Loop, Quality
from generator.variants import BUILT_IN, Variant, own_defaults

_PathText = Annotated[str, AfterValidator(from_home)]
"""a path that may begin with `~`"""
_Side = Annotated[int, Field(ge=64, le=2048, multiple_of=8)]
"""in pixels: a latent stands for 8 of them, and a file has even sides"""
_NO_FOLDER = "-"
"""a source without a folder, to check what a folder says by itself"""


class VariantConfig(Section):
    """A variant of the operator's own. What is not said here is as `variant.json` in the folder of the weights says."""

    source: _PathText
    revision: str | None = None
    frames: int = Field(25, ge=2, le=50)
    turbo: bool = False
    turbo_unet: _PathText | None = None
    licence: str = ""
    licence_url: str = ""
    description: str = ""
    landscape: tuple[_Side, _Side] = (1024, 576)
    portrait: tuple[_Side, _Side] = (576, 1024)
    square: tuple[_Side, _Side] = (768, 768)
    quality: Quality | None = None
    steps: int | None = Field(None, ge=1, le=100)
    max_steps: int | None = Field(None, ge=1, le=100)
    max_guidance: float | None = Field(None, ge=1, le=10)
    loop: Loop | None = None
    motion_bucket: int | None = Field(None, ge=0, le=255)

    @model_validator(mode="before")
    @classmethod
    def _with_its_folder(cls, said: Any) -> Any:
        source = said.get("source") if isinstance(said, dict) else None
        if not isinstance(source, str) or source == _NO_FOLDER:
            return said
        folder = Path(os.path.expanduser(source))  # noqa: PTH111 - whose home is unknown, `source` itself is told
        try:
            own = own_defaults(folder)
            cls.model_validate({"source": _NO_FOLDER} | own)  # a mistake in it is not one of the operator's keys
        except ValueError as error:
            raise ValueError(f"{folder / 'variant.json'} cannot be used: {_first(error)}") from error
        return own | said

    def variant(self, name: str) -> Variant:
        """Return what is rendered by this name: a built-in variant as changed here, or one of the operator's own."""
        usual: dict[str, Any] = {"quality": Quality.FAST, "max_guidance": 1.0} if self.turbo else {}
        own = self.model_dump(exclude_none=True, exclude_unset=name in BUILT_IN)
        if name in BUILT_IN:  # its pinned revision is of the repository that the operator's source replaces
            return replace(BUILT_IN[name], **{"revision": None} | usual | own)
        return Variant(name=name, **usual | own)


def _first(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    [mistake, *_] = error.errors()
    return f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}"
