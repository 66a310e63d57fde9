"""A variant's own defaults: what is used when the person names nothing."""

from __future__ import annotations

import json

from generator.clip import Quality
from generator.variants import BUILT_IN, Variant


def test_a_variant_survives_the_wire_whole() -> None:
    for variant in BUILT_IN.values():
        again = Variant.from_json(json.loads(json.dumps(variant.to_json())))
        assert again == variant
        assert again.quality is None or isinstance(again.quality, Quality)
