"""What every section of the settings is, and the small ones: the queue, quotas, pictures, how long things stay.

Tested in tests/bot/test_config.py.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bot.policy.quota import Limits as QuotaLimits
from bot.policy.quota import Quota


class Section(BaseModel):
    """A table of the configuration: it has no other keys than these, and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class QueueConfig(Section):
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


class QuotaConfig(Section):
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


class PictureConfig(Section):
    """What pictures are accepted."""

    max_mib: int = Field(25, ge=1, le=500)
    max_megapixels: int = Field(100, ge=1, le=400)


class RetentionConfig(Section):
    """How long things stay."""

    clip_hours: int = Field(24, ge=1)
    row_days: int = Field(30, ge=1)
    min_free_mib: int = Field(1024, ge=0)
