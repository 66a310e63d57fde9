"""The log as lines for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SPEAKS = """
import logging, warnings
from bot.edge.redact import hide_tokens_in_logs
from bot.monitoring.logs import set_up_logs
set_up_logs("INFO", {form!r})
hide_tokens_in_logs()
log = logging.getLogger("bot.queue.jobs")
log.info("job=%d running attempt=%d", 7, 1)
log.debug("never written")
log.info("two\\nlines, and an é")
try:
    raise ValueError("Bot abcdefgh.ijklmnop said no")
except ValueError:
    log.exception("it failed")
warnings.warn("an old habit")
"""


def said(form: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SPEAKS.format(form=form)], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stderr


def test_each_line_is_one_json_object_with_the_job_and_the_error() -> None:
    lines = [json.loads(line) for line in said("json").splitlines()]
    assert [line["level"] for line in lines] == ["INFO", "INFO", "ERROR", "WARNING"]
    first, second, failed, warned = lines
    assert (first["logger"], first["message"], first["job"]) == ("bot.queue.jobs", "job=7 running attempt=1", 7)
    assert first["time"].endswith("+00:00")
    assert second["message"] == "two\nlines, and an é"
    assert "job" not in second
    assert "ValueError" in failed["error"]
    assert "abcdefgh" not in str(lines), "tokens stay hidden"
    assert "an old habit" in warned["message"]


def test_the_text_is_as_before_unless_json_is_asked_for() -> None:
    text = said("text")
    assert " INFO    bot.queue.jobs: job=7 running attempt=1\n" in text
    assert "ValueError" in text
    assert "{" not in text


def test_a_bot_that_cannot_start_says_so_in_json_too(tmp_path: Path) -> None:
    environment = os.environ | {"VIVANT_LOG_FORMAT": "json", "VIVANT_TOKEN": "", "VIVANT_DATA_DIR": str(tmp_path)}
    command = (sys.executable, "-m", "bot", "run")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 78
    [line] = done.stderr.splitlines()
    assert json.loads(line)["level"] == "CRITICAL"
    assert "There is no token" in json.loads(line)["message"]
