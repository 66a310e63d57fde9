"""Checks recorded exchanges against Discord's own API description: the bot's requests and the sandbox's answers.

The description is not in the repository; tests that need it are skipped with a message where it is missing.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from bot.sandbox.exchanges import Exchange

DESCRIPTION = Path(__file__).parents[3] / "shared" / "reference" / "discord-openapi.json"

KNOWN_EXTRA_REQUEST_KEYS = {
    "tts",  # discord.py sends it with every edit
    "enforce_nonce",  # discord.py sends it with edits too
    "nsfw",  # documented for commands, but missing from the description's request
}
KNOWN_EXTRA_RESPONSE_KEYS: set[str] = set()


class OpenApi:
    """Discord's description, for checks of one exchange at a time."""

    def __init__(self, document: dict[str, Any]) -> None:
        answers = copy.deepcopy(document)
        # The documentation's own examples of field errors carry codes like "BASE_TYPE_REQUIRED", not numbers.
        answers["components"]["schemas"]["InnerErrors"]["properties"]["_errors"]["items"] = {"type": "object"}
        self._answers = _Side(answers)
        requests = copy.deepcopy(document)
        # The documentation says "snowflake or number", and discord.py sends numbers.
        requests["components"]["schemas"]["SnowflakeType"] = {"type": ["string", "integer"]}
        self._requests = _Side(requests)
        self._paths = document["paths"]
        self._schemas = document["components"]["schemas"]

    def schema(self, name: str) -> dict[str, Any]:
        """Return one of the description's schemas."""
        return dict(self._schemas[name])

    def problems(self, exchange: Exchange) -> list[str]:
        """Return every difference between the exchange and the description."""
        path = self._path(exchange)
        if path is None:
            return [f"{exchange.method} {exchange.path}: no such route"]
        where = f"{exchange.method} {exchange.template} {exchange.status}"
        return [f"{where}: {text}" for text in (*self._asked(path, exchange), *self._answered(path, exchange))]

    def _path(self, exchange: Exchange) -> str | None:
        original = exchange.template.replace("{message_id}", "@original")
        if exchange.path.endswith("/@original") and original in self._paths:
            return original
        candidates = [path for path in self._paths if exchange.method.lower() in self._paths[path]]
        return next((path for path in candidates if _shape(path) == _shape(exchange.template)), None)

    def _asked(self, path: str, exchange: Exchange) -> Iterator[str]:
        content = self._paths[path][exchange.method.lower()].get("requestBody", {}).get("content", {})
        if exchange.body is None or exchange.status >= 400:
            return
        pointer = [path, exchange.method.lower(), "requestBody", "content", "application/json", "schema"]
        if "application/json" not in content:
            yield "a body where the description has none"
            return
        for text in self._requests.problems(pointer, exchange.body, KNOWN_EXTRA_REQUEST_KEYS):
            yield f"request {text}"

    def _answered(self, path: str, exchange: Exchange) -> Iterator[str]:
        responses = self._paths[path][exchange.method.lower()]["responses"]
        status = str(exchange.status)
        key = status if status in responses else f"{status[0]}XX"
        if key not in responses:
            yield f"the description knows no answer {status}"
            return
        if exchange.answer is None:
            return
        pointer = [path, exchange.method.lower(), "responses", key]
        response = responses[key]
        if "$ref" in response:
            pointer = ["", *response["$ref"].removeprefix("#/").split("/")]
        for text in self._answers.problems(
            [*pointer, "content", "application/json", "schema"], exchange.answer, KNOWN_EXTRA_RESPONSE_KEYS
        ):
            yield f"answer {text}"


class _Side:
    """The schemas for one direction, found by their path in the document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        resource = DRAFT202012.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource("urn:discord", resource)

    def problems(self, pointer: list[str], value: Any, known_extra: set[str]) -> Iterator[str]:
        keys = pointer[1:] if pointer[0] == "" else ["paths", *pointer]
        schema: Any = self._document
        for key in keys:
            schema = schema[key]
        errors = list(self._validator(schema).iter_errors(value))
        for error in errors:
            yield self._explain(error)
        if not errors:
            for where in self._unknown(schema, value, "$"):
                if where.rsplit(".", 1)[-1] not in known_extra:
                    yield f"{where}: not in the description"

    def _validator(self, schema: Any) -> Draft202012Validator:
        # Schemas refer to "#/components/...", so each is validated inside the whole document.
        return Draft202012Validator(_absolute(schema), registry=self._registry)

    def _explain(self, error: ValidationError) -> str:
        """Return the error of the union's branch that the value's own `type` selects, not of the first that failed."""
        while error.context:
            branches: dict[Any, list[ValidationError]] = {}
            for inner in error.context:
                branches.setdefault(inner.schema_path[0], []).append(inner)
            meant = [found for found in branches.values() if not any(_is_about_type(item) for item in found)]
            error = (meant or list(branches.values()))[0][0]
        return f"{error.json_path}: {error.message[:200]}"

    def _unknown(self, schema: Any, value: Any, where: str) -> Iterator[str]:
        """Yield the keys that no schema for this value names; the description itself never forbids extra keys."""
        if isinstance(value, list):
            items = [item["items"] for item in self._leaves(schema, value) if "items" in item]
            for index, element in enumerate(value):
                for item in items[:1]:
                    yield from self._unknown(item, element, f"{where}[{index}]")
        if not isinstance(value, dict):
            return
        leaves = list(self._leaves(schema, value))
        known: dict[str, Any] = {}
        for leaf in leaves:
            known |= leaf.get("properties", {})
        free = any("additionalProperties" in leaf or "properties" not in leaf for leaf in leaves)
        for key, element in value.items():
            if key in known:
                yield from self._unknown(known[key], element, f"{where}.{key}")
            elif not free:
                yield f"{where}.{key}"

    def _leaves(self, schema: Any, value: Any) -> Iterator[Any]:
        """Yield the schemas for a value, with references and unions resolved."""
        if "$ref" in schema:
            target: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            yield from self._leaves(target, value)
        for part in schema.get("allOf", []):
            yield from self._leaves(part, value)
        for union in ("oneOf", "anyOf"):
            for branch in schema.get(union, []):
                if self._validator(branch).is_valid(value):
                    yield from self._leaves(branch, value)
        if not {"$ref", "allOf", "oneOf", "anyOf"} & set(schema) or "properties" in schema:
            yield schema


def _is_about_type(error: ValidationError) -> bool:
    return list(error.path)[-1:] == ["type"] or (error.validator == "type" and not error.path)


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"urn:discord{value}" if key == "$ref" and isinstance(value, str) else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema


def _shape(path: str) -> list[str]:
    return ["{}" if part.startswith("{") else part for part in path.split("/")]


@cache
def _load() -> OpenApi:
    return OpenApi(json.loads(DESCRIPTION.read_text()))


def discord_description() -> OpenApi:
    """Return Discord's description, or skip the test."""
    if not DESCRIPTION.is_file():
        pytest.skip(f"Discord's API description is not at {DESCRIPTION.name} beside this checkout; nothing validated")
    return _load()
