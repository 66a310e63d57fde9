"""PRIVACY.md is true: each of its points names the tests that hold it, and a whole visit leaves only what it says."""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path

import pytest

from bot.config.sections import RetentionConfig
from bot.queue.fair_queue import DEBT_KEPT_MS
from bot.queue.life.retention import COPY_DAYS
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, PICTURES
from bot.texts.replies import privacy_text
from bot.work.sweep import SWEEP_SECONDS
from tests.support.edge import buttons, picture, running_edge
from tests.support.fakes import tiny_clip
from tests.support.jobs import opened

ROOT = Path(__file__).parent.parent

# -- the notice ------------------------------------------------------------------------------------------------------

RETENTION = "tests/bot/queue/test_retention.py"
STORED = "tests/bot/queue/test_forgetting.py"
EDGE = "tests/bot/edge/commands/test_forgetting.py"
TRUST = "tests/bot/edge/commands/trust"
HERE = "tests/test_privacy.py"
MENDING = "tests/bot/edge/commands/submission/choosing/test_mending.py"
QUOTAS = "tests/bot/queue/servers/test_quotas.py"
SERVERS = "tests/bot/queue/servers/test_settings.py"
CHOICES = "tests/bot/queue/servers/test_choices.py"

HELD_BY: dict[str, list[str]] = {
    "Of each request: your Discord user id": [
        f"{RETENTION}::test_nobody_is_remembered_longer_than_their_requests",
        f"{HERE}::test_a_row_has_the_columns_that_the_notice_tells",
    ],
    "The picture you sent or chose": [
        f"{RETENTION}::test_sweep_keeps_what_is_not_delivered_and_what_is_shared",
        "tests/bot/edge/commands/finished/test_file_menu.py::test_the_frames_go_with_the_clip",
        "tests/bot/queue/test_spool.py::test_files_made_anew_go_after_an_hour_and_kept_frames_with_their_clip",
    ],
    "A clip that could not be posted": [f"{RETENTION}::test_a_clip_that_could_not_be_posted_waits_for_its_person"],
    "With a request: which options": [
        "tests/bot/edge/commands/test_animate.py::test_a_description_becomes_the_alt_text_and_stays_with_further_clips",
        "tests/bot/edge/commands/test_animate.py::test_the_alt_text_of_a_picture_in_a_message_becomes_the_clips",
    ],
    "The Delete button under a clip also deletes": [
        "tests/bot/edge/commands/submission/test_permissions.py::test_only_the_requester_and_moderators_delete_a_clip",
        f"{RETENTION}::test_a_deleted_clip_leaves_the_picture_to_another_clip_of_it",
    ],
    "Of a server: what its managers chose": [
        f"{SERVERS}::test_a_person_is_forgotten_in_the_log_and_a_server_altogether",
        f"{SERVERS}::test_the_log_is_kept_for_ninety_days",
    ],
    "What a server's picture filter held back": [
        "tests/bot/queue/servers/test_reviews.py::test_what_nobody_decides_is_deleted_in_time",
        "tests/bot/queue/servers/test_reviews.py::test_a_decision_counts_once_and_lets_go_of_the_picture",
        "tests/bot/edge/commands/reviews/test_reviews.py::test_a_forgotten_person_s_picture_is_held_no_longer",
    ],
    "A picture filter, where the server": [f"{HERE}::test_only_what_talks_to_discord_has_a_network"],
    "Of each picture a hash": [
        "tests/generator/picture/test_fingerprint.py::test_it_is_the_references_hash",
        f"{TRUST}/test_takedown.py::test_the_clip_its_variations_their_files_and_the_way_back_are_gone",
    ],
    "If you ask for a clip of somebody else's picture": [
        f"{TRUST}/test_consent.py::test_the_author_is_asked_and_agrees_and_only_then_the_picture_is_fetched",
        f"{TRUST}/test_consent.py::test_without_an_answer_the_request_is_refused_in_words_and_deleted",
        f"{TRUST}/test_consent.py::test_forgetting_either_of_them_deletes_the_question",
    ],
    "Of a request that was refused": [
        f"{MENDING}::test_a_kept_request_is_its_persons_alone_and_goes_with_the_person",
        f"{MENDING}::test_a_request_is_kept_for_the_stated_time_and_no_longer",
        f"{MENDING}::test_a_persons_own_data_has_the_requests_that_can_be_mended",
    ],
    "Of a reported clip": [
        f"{TRUST}/test_reports.py::test_a_report_reaches_moderators_and_operators_with_what_they_need_and_no_more",
        "tests/bot/queue/servers/trust/test_reports.py::test_a_report_is_forgotten_after_a_month",
    ],
    "If the people who run the bot have blocked you": [
        f"{TRUST}/test_operators.py::test_a_blocked_person_is_told_why_and_until_when_and_what_they_wait_for_is_cancelled",
        f"{TRUST}/test_operators.py::test_a_block_ends_by_itself",
    ],
    "Of the form that asks for a clip": [
        f"{CHOICES}::test_what_was_chosen_goes_a_month_after_the_last_form",
        f"{CHOICES}::test_who_is_forgotten_has_chosen_nothing_also_in_the_copies",
        "tests/bot/edge/commands/form/test_modal.py::test_a_form_that_is_left_alone_is_let_go_of",
    ],
    "The file as you uploaded it": [f"{HERE}::test_a_whole_visit_leaves_only_what_the_notice_says"],
    "An answer token from Discord": [f"{STORED}::test_an_answer_token_goes_when_it_is_good_for_nothing"],
    "What is too old is deleted once an hour": [
        "tests/bot/work/test_sweep.py::test_every_hour_old_clips_and_files_without_a_row_go",
        f"{STORED}::test_a_sweep_goes_on_until_nothing_too_old_is_left",
    ],
    "An update of the bot may make a copy": [f"{STORED}::test_copies_are_kept_for_a_week"],
    "The bot's log has numbers and ids": [
        f"{HERE}::test_a_whole_visit_leaves_only_what_the_notice_says",
        "tests/bot/edge/test_redact.py::test_no_interaction_token_reaches_the_log",
    ],
    "Message texts, names, avatars": [f"{HERE}::test_a_whole_visit_leaves_only_what_the_notice_says"],
    "Pictures are used for nothing but": [f"{HERE}::test_nothing_that_trains_is_reached_from_the_bot"],
    "Pictures and clips are given to nobody": [f"{HERE}::test_only_what_talks_to_discord_has_a_network"],
    "A clip says in its file how it was made": [
        "tests/generator/video/test_recipe.py::test_the_mark_of_generated_media_is_one_that_others_read",
        f"{HERE}::test_a_whole_visit_leaves_only_what_the_notice_says",
    ],
    "`/forget-me` deletes your requests": [
        f"{EDGE}::test_forget_me_asks_first_then_deletes_rows_and_files",
        f"{EDGE}::test_while_the_picture_is_downloaded",
        f"{EDGE}::test_while_the_picture_is_framed",
        f"{EDGE}::test_while_the_request_is_enqueued",
        f"{EDGE}::test_a_variation_that_is_being_taken",
        f"{EDGE}::test_between_a_claim_and_its_render",
        f"{EDGE}::test_while_the_clip_is_encoded",
        f"{EDGE}::test_while_the_clip_is_made_smaller",
        f"{EDGE}::test_while_the_clip_is_posted",
    ],
    "What is deleted is also overwritten": [
        f"{STORED}::test_nothing_of_a_forgotten_person_is_readable_in_any_file",
        f"{STORED}::test_a_bot_that_was_killed_after_forgetting_leaves_an_empty_log_at_its_next_start",
    ],
    "It is deleted from the copies": [
        f"{STORED}::test_a_person_is_forgotten_in_the_copy_that_an_update_made",
        f"{STORED}::test_the_bytes_of_a_forgotten_person_leave_the_copy_too",
    ],
    "If you choose so, `/forget-me` also deletes": [
        f"{EDGE}::test_the_posts_can_be_deleted_too",
        f"{EDGE}::test_only_one_s_own_posts_are_deleted_and_what_could_not_be_is_said",
    ],
    "Otherwise posts stay in Discord": [
        f"{EDGE}::test_posts_stay_unless_one_wants_them_deleted",
        f"{EDGE}::test_delete_still_works_for_whom_the_post_mentions",
        f"{EDGE}::test_a_clip_of_somebody_forgotten_can_be_deleted_by_moderators",
    ],
    "After `/forget-me` one number": [
        f"{STORED}::test_a_debt_names_nobody_and_goes_when_the_queue_has_caught_up",
        f"{STORED}::test_a_debt_is_deleted_when_it_is_paid_and_after_a_day_at_the_latest",
        f"{STORED}::test_who_is_forgotten_after_each_clip_gets_no_more_of_the_gpu",
    ],
    "What you have used of a day's quota": [
        f"{QUOTAS}::test_who_is_forgotten_has_no_more_of_a_quota",
        f"{QUOTAS}::test_what_is_kept_of_a_quota_names_nobody_and_goes_after_a_day",
    ],
    "If you have opted out with `/privacy`": [
        f"{TRUST}/test_consent.py::test_who_opted_out_is_left_out_in_every_server_and_may_come_back",
        f"{TRUST}/test_consent.py::test_who_opts_out_later_stops_variations_of_clips_that_exist",
    ],
    "`/my-data` hands you everything": [
        f"{TRUST}/test_own_data.py::test_it_is_all_of_ones_own_and_nothing_of_others",
        f"{TRUST}/test_own_data.py::test_every_table_about_people_is_in_it",
    ],
    "When the bot is removed from a server": [
        "tests/bot/edge/test_client.py::test_a_server_that_sends_the_bot_away_is_forgotten",
        "tests/bot/edge/test_client.py::test_a_server_that_sent_the_bot_away_while_it_was_off_is_forgotten",
    ],
    "A variation that somebody else asked for": [f"{STORED}::test_a_variation_of_somebody_else_keeps_the_picture"],
}
"""how a point of the notice begins, and the tests that hold it"""

IN_SHORT = {
    "Your picture as framed": "The picture you sent or chose",
    "A clip that I could not post": "A clip that could not be posted",
    "Your user id, the channel": "Of each request: your Discord user id",
    "What you chose last in the form": "Of the form that asks for a clip",
    "The picture as you sent it": "The file as you uploaded it",
    "Nothing is used for training": "Pictures are used for nothing but",
    "`/forget-me` deletes all of it": "`/forget-me` deletes your requests",
    "`/my-data` gives you": "`/my-data` hands you everything",
    "The Delete button under a clip works": "Otherwise posts stay in Discord",
    "Clips say in their file": "A clip says in its file how it was made",
}
"""how a line of /privacy begins, and the point of the notice that it says in short"""


def points(notice: str) -> list[str]:
    """Return the points of a notice, each on one line."""
    return [" ".join(text.split()) for text in re.findall(r"^- (.+(?:\n  .+)*)", notice, re.MULTILINE)]


def unheld(lines: list[str], known: dict[str, list[str]]) -> list[str]:
    """Return the lines that begin like no key, and the keys with which not exactly one line begins."""
    missing = [line for line in lines if not any(line.startswith(key) for key in known)]
    return missing + [key for key in known if sum(line.startswith(key) for line in lines) != 1]


def missing_tests(names: list[str], root: Path) -> list[str]:
    """Return the names of tests that nobody wrote."""
    found = set()
    for path in {name.partition("::")[0] for name in names}:
        tree = ast.parse((root / path).read_text()) if (root / path).is_file() else ast.Module([], [])
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        found |= {f"{path}::{node.name}" for node in tree.body if isinstance(node, functions)}
    return sorted(set(names) - found)


def test_each_point_of_the_notice_is_held_by_tests_that_exist() -> None:
    assert unheld(points((ROOT / "PRIVACY.md").read_text()), HELD_BY) == []
    assert all(HELD_BY.values())
    assert missing_tests([name for names in HELD_BY.values() for name in names], ROOT) == []


def test_each_line_of_the_command_says_a_point_of_the_notice() -> None:
    lines = privacy_text(24, 30, None).splitlines()[1:]
    assert unheld(lines, {key: [] for key in IN_SHORT}) == []
    assert set(IN_SHORT.values()) <= HELD_BY.keys()


def test_a_point_without_a_test_would_be_seen() -> None:
    """The negative control."""
    lines = points("- One thing\n  is kept.\n- Another thing.\n\nA sentence.\n")
    assert lines == ["One thing is kept.", "Another thing."]
    assert unheld(lines, {"One": ["a"], "Gone": ["b"]}) == ["Another thing.", "Gone"]
    here = [f"{HERE}::test_a_point_without_a_test_would_be_seen", f"{HERE}::test_nobody_wrote", "tests/x.py::test_y"]
    assert missing_tests(here, ROOT) == here[1:]


def test_the_numbers_of_the_notice_are_those_of_the_code() -> None:
    text = " ".join((ROOT / "PRIVACY.md").read_text().split())
    retention = RetentionConfig()
    assert f"until {retention.row_days} days after the request was over" in text
    assert f"until {retention.clip_hours} hours after the request was over" in text
    assert f"deleted after {COPY_DAYS} days" in text
    assert (DEBT_KEPT_MS, SWEEP_SECONDS) == (24 * 3_600_000, 3600), "for a day at most; once an hour"


# -- a whole visit ---------------------------------------------------------------------------------------------------

NAMES = ("Adelheid Testing", "adelheid.testing", "holidays-in-private")


async def test_a_whole_visit_leaves_only_what_the_notice_says(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox) as edge:
        person = sandbox.world.directory.users[ADA]
        person["global_name"], person["username"] = NAMES[:2]
        file = Upload(f"{NAMES[2]}.png", "image/png", picture())
        await edge.animate(file=file)
        clip = await edge.clip()
        await edge.delivered()
        kept = {(await edge.job()).picture, (await edge.job()).clip}
        assert {path.name for path in edge.spool.folder.iterdir()} == kept, "not the uploaded file"
        read = await edge.invoke("recipe", files={"clip": Upload(f"{NAMES[2]}.mp4", "video/mp4", tiny_clip())})
        await edge.answer(read)
        assert {path.name for path in edge.spool.folder.iterdir()} == kept, "not the file for /recipe"
        await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["More motion"])
        await edge.clip(count=2)
        token = (await edge.job()).route.interaction_token
        for path in (item for item in tmp_path.rglob("*") if item.is_file()):
            assert not any(name.encode() in path.read_bytes() for name in NAMES), path.name
        for path in edge.spool.folder.glob("*.mp4"):
            assert ADA.encode() not in path.read_bytes(), "a clip says nothing about its person"
        assert len(await edge.store.jobs.of_user(int(ADA))) == 2, "the negative control: something is kept"
    logged = caplog.text
    assert "accepted" in logged, "the negative control: there is a log"
    assert not [secret for secret in (*NAMES, ADA, BEN, str(token)) if secret in logged]


async def test_a_row_has_the_columns_that_the_notice_tells(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        tables = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'"
        found = await store.database.read(lambda db: db.execute(tables).fetchall())
        assert {name for (name,) in found} <= ABOUT_PEOPLE | ABOUT_NOBODY, "say in PRIVACY.md what a new table keeps"
        columns = "select name from pragma_table_info('job')"
        rows = await store.database.read(lambda db: db.execute(columns).fetchall())
        assert {name for (name,) in rows} == set(COLUMNS.split()), "say in PRIVACY.md what a new column keeps"


ABOUT_PEOPLE = {
    *("job", "outbox", "lane", "debt", "set_aside", "audit", "spent", "review"),
    *("source", "consent", "blocked", "opted_out", "choice"),
}
ABOUT_NOBODY = {"meta", "setting", "kind", "server", "blocked_picture", "report", "render_phases"}
COLUMNS = """
    id key user_id guild_id state start_tag tag kind_id cost_ms attempt strikes cancel_requested card_message_id
    created_ms started_ms finished_ms picture clip master route settings notes failure facts told of_job
"""
"""of a job: ids, settings, what was said, the way to answer, times, how it went, and the names of its files"""


# -- what the program cannot do --------------------------------------------------------------------------------------

NETWORK = {"aiohttp", "httpx", "requests", "urllib.request", "http.client", "socket", "huggingface_hub", "discord"}
MAY_USE_IT = (
    "bot/edge/",
    "bot/sandbox/",
    "bot/app.py",
    "bot/doctor/",
    "bot/monitoring/",
    "bot/work/uplink/uploads.py",
    "generator/backend/cluster/ray_cluster.py",
    "generator/model/checkpoint/",
    "generator/process/confine.py",
)
"""what talks to Discord or to the operator's cluster, looks whether it answers, downloads the weights, or tries that a
child has no network"""


def importers(names: set[str], root: Path = ROOT) -> list[str]:
    """Return the modules of the program that import one of these, also inside functions."""
    found = []
    for path in sorted(path for package in ("bot", "generator") for path in (root / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            if any(module == name or module.startswith(f"{name}.") for module in modules for name in names):
                found.append(path.relative_to(root).as_posix())
                break
    return found


def test_only_what_talks_to_discord_has_a_network() -> None:
    found = importers(NETWORK)
    assert "bot/edge/commands/submission/download.py" in found, "the negative control"
    assert [name for name in found if not name.startswith(MAY_USE_IT)] == []


def test_nothing_that_trains_is_reached_from_the_bot() -> None:
    training = {f"generator.model.demo_model.{name}" for name in ("train", "training_loop", "scenes", "camera_motion")}
    found = importers(training)
    assert "generator/model/demo_model/train.py" in found, "the negative control"
    assert [name for name in found if not name.startswith("generator/model/demo_model/")] == []
    assert [name for name in importers({"torch.optim"}) if not name.startswith("generator/model/demo_model/")] == []
