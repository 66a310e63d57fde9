"""The log's form: lines for people, or one JSON object for each line."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

_JOB = re.compile(r"\bjob=(\d+)\b")


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object: time, level, logger, message, and where there are any job and error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line. What `bot.edge.redact` hides stays hidden: it is hidden in the record itself."""
        message = record.getMessage()
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if found := _JOB.search(message):
            line["job"] = int(found[1])
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


def set_up_logs(level: str, form: str) -> None:
    """Write the log to stderr from now on; `form` is "text" or "json"."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level, handlers=[handler])
    logging.captureWarnings(form == "json")  # what Python prints itself is no JSON
