"""The composition root: builds the bot from a Config, starts it in order and stops it in the reverse."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
import discord

from bot.cluster.backends import local_gpus, make_capacities, make_local, most_of_one_person, preload, start_all
from bot.cluster.capacity import Capacity, Followers
from bot.config import Config
from bot.doctor.variant import why_not
from bot.edge.client import VivantClient
from bot.edge.commands.reviews.holding import screen_clip
from bot.edge.commands.trust.announcing import resume_announcement
from bot.edge.commands.trust.consent import end_unanswered
from bot.edge.commands.trust.draining import tell_drained
from bot.edge.commands.trust.reports import tell_reports
from bot.edge.connection.pacing import Pace
from bot.edge.connection.starting import why_it_ended
from bot.edge.context import Services
from bot.edge.delivery import Poster
from bot.edge.owner_alerts import OwnerAlerts
from bot.edge.posting import Posting
from bot.edge.status_cards import StatusCards
from bot.monitoring.metrics import Metrics
from bot.monitoring.start import open_metrics, sources
from bot.queue.database import StoreBusy, StoreError, StoreFull
from bot.queue.job import Limits, running_ms, wall_clock_ms
from bot.queue.opening.folder import chown_advice
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.texts.languages.spoken import speak
from bot.work.crew import Crew
from bot.work.heartbeat import keep_heartbeat
from bot.work.requests import Requests
from bot.work.supervise import StartError as StartError
from bot.work.supervise import keep_going, run_until_stopped
from bot.work.sweep import sweep_hourly
from bot.work.switches import Switches
from bot.work.turns import Intake
from bot.work.uplink.remaking import Remaking
from bot.work.uplink.screening import Screening
from bot.work.uplink.signing import open_signing
from bot.work.worker import Worker
from generator.backend.backend import Backend
from generator.backend.cluster.cluster_backend import ClusterBackend
from generator.backend.joining_backend import JoiningBackend
from generator.backend.local_backend import LocalBackend
from generator.backend.signing_backend import SigningBackend
from generator.memory import MIB
from generator.picture.intake import PictureChild
from generator.process.private import make_private
from generator.video.shrink import Shrinks

log = logging.getLogger(__name__)

_FOLDERS = ("spool", "cluster", "credentials")
OUR_FILES = (
    "vivant*",
    "lock",
    "mark",
    "connected",
    "executor",
    *(name for folder in _FOLDERS for name in (folder, f"{folder}/*")),
    ".restoring",
)
"""what the bot keeps in its data folder"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of the bot that a test may replace. The defaults are the real ones."""

    backend: Callable[..., Backend] = LocalBackend
    """called with an ExecutorConfig, `gpu` and `on_state`"""
    cluster: Callable[..., ClusterBackend] = ClusterBackend
    """called with an ExecutorConfig, ClusterOptions and `on_state`"""
    check_variant: Callable[[Config, str], Awaitable[str | None]] = why_not
    """says why a variant cannot run here"""
    pictures: Callable[..., PictureChild] = PictureChild
    """called with PictureLimits and `filter_model`"""
    poster: type[Poster] = Poster
    posting: type[Posting] = Posting
    connector: Callable[[], aiohttp.BaseConnector | None] = lambda: None
    """makes what carries the requests to Discord; None: the client's own"""
    now_ms: Callable[[], int] = wall_clock_ms
    elapsed_ms: Callable[[], int] = running_ms
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    """waits between two attempts to post, and to reach Discord at the start"""
    pace: Pace = field(default_factory=Pace)
    keep_going: Callable[[str, Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]] = keep_going
    """runs one of the bot's loops"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """The bot, built and not yet logged in."""

    services: Services
    client: VivantClient
    poster: Poster
    alerts: OwnerAlerts
    workers: list[Worker]
    metrics: list[Metrics]
    capacities: list[Capacity]
    """of the cluster, if there is one"""
    parts: Parts

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """Return everything that runs side by side for as long as the bot does."""
        services = self.services
        loops: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = [
            ("the cards", partial(services.cards.run, self.client)),
            ("the poster", self.poster.run),
            ("the alerts", self.alerts.run),
            *(("a worker", worker.run) for worker in self.workers),
            *(("the metrics", metrics.run) for metrics in self.metrics),
            *(("the cluster", capacity.run) for capacity in self.capacities),
            ("the questions for consent", partial(end_unanswered, self.client)),
            ("the reports", partial(tell_reports, self.client)),
            ("the drain", partial(tell_drained, services.store, services.switches, self.alerts.drained)),
            ("the announcement", partial(resume_announcement, self.client)),
            ("the heartbeat", partial(keep_heartbeat, services.config.data_dir, self.client.is_connected)),
            ("the sweep", partial(sweep_hourly, services.store, services.spool, services.config.retention)),
        ]
        return [self.client.connect(), *(self.parts.keep_going(name, loop) for name, loop in loops)]


async def run_bot(config: Config, parts: Parts = Parts()) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError when something must be mended first."""
    token = config.token.get_secret_value()
    if not token:
        raise StartError(
            "There is no token. `vivant setup` says where it is and asks for it; or put it into config.toml or "
            "VIVANT_TOKEN."
        )
    if config.token_problem:
        raise StartError(f"The token cannot be right: {config.token_problem}. Copy it again from the Bot page.")
    try:
        async with build(config, parts) as bot:
            await bot.client.log_in(token)
            await run_until_stopped(bot.loops())
    except (StoreError, discord.LoginFailure, ExceptionGroup) as error:
        if sentence := why_it_ended(error):
            raise StartError(sentence) from error
        raise


@contextlib.asynccontextmanager
async def build(config: Config, parts: Parts = Parts()) -> AsyncIterator[Bot]:
    """Build the bot, with its backends started, and close all of it afterwards. Raises StartError."""
    speak(config.language)
    await asyncio.to_thread(make_private, config.data_dir, OUR_FILES)
    async with AsyncExitStack() as stack:
        store = await _open_store(config, parts, stack)
        signer = await open_signing(config)
        crew, shrink = Crew(), Shrinks(signer=signer)
        crew.on_change = partial(_count_cards, store, crew)
        store.jobs.left_ms = crew.left_ms
        metrics = open_metrics(config, store, stack)
        spool = await _open_spool(config, store)
        switches = Switches(config, store)
        await switches.load()
        variant = switches.variant.name
        capacities = make_capacities(config, parts.cluster, variant)
        backends = await start_all(make_local(config, parts.backend, variant), capacities, stack)
        cards = StatusCards(store, switches.gate, crew, now_ms=parts.now_ms, pace=parts.pace)
        child = parts.pictures(config.picture_limits(), filter_model=config.filter.to_model())
        pictures = await stack.enter_async_context(child)
        services = Services(
            config=config,
            store=store,
            spool=spool,
            pictures=pictures,
            intake=Intake(decoders=pictures.at_once),
            switches=switches,
            cards=cards,
            crew=crew,
            requests=Requests(store, spool, crew),
            shrink=shrink,
            remaking=Remaking(spool, shrink.again, crew.ongoing),
            screening=Screening(config, store, spool, pictures),
            certificates=signer.certificates,
            preload=partial(preload, backends),
            check_variant=partial(parts.check_variant, config),
        )
        client = VivantClient(services, connector=parts.connector(), now_ms=parts.now_ms, pause=parts.pause)
        alerts = OwnerAlerts(client, config.owners)
        store.jobs.tell_of_set_aside(alerts.unreadable)
        _follow(capacities, services, alerts)
        for each in metrics:
            each.watch(sources(services, client))
        yield Bot(
            services=services,
            client=await stack.enter_async_context(client),
            poster=_make_poster(parts, client),
            alerts=alerts,
            workers=[
                _make_worker(services, SigningBackend(JoiningBackend(each, shrink.join), signer), alerts)
                for each in backends
            ],
            metrics=metrics,
            capacities=capacities,
            parts=parts,
        )


def _make_poster(parts: Parts, client: VivantClient) -> Poster:
    services = client.services
    return parts.poster(
        services.store,
        client,
        services.cards,
        parts.posting(client, services.spool, services.shrink),
        ongoing=services.crew.ongoing,
        now_ms=parts.now_ms,
        pause=parts.pause,
        screen=partial(screen_clip, client),
    )


def _make_worker(services: Services, backend: Backend, alerts: OwnerAlerts) -> Worker:
    return Worker(
        services.store,
        services.spool,
        backend,
        gate=services.switches.gate,
        crew=services.crew,
        on_step=services.cards.progressed,
        on_change=services.cards.changed,
        on_storm=alerts.storm,
    )


def _follow(capacities: list[Capacity], services: Services, alerts: OwnerAlerts) -> None:
    """Let all that counts with the number of cards follow what a cluster has."""
    followers = Followers(
        jobs=services.store.jobs,
        crew=services.crew,
        gate=services.switches.gate,
        on_hold=services.cards.queue_changed,
        on_left_out=alerts.left_out,
    )
    for capacity in capacities:
        capacity.attach(followers)


async def _open_store(config: Config, parts: Parts, stack: AsyncExitStack) -> JobStore:
    limits = Limits(
        queued_per_user=config.queue.max_queued_per_user,
        queued_per_guild=config.queue.max_queued_per_server,
        running_per_user=config.queue.max_running_per_user or most_of_one_person(config),
        max_attempts=config.queue.max_attempts,
    )
    try:
        store = await JobStore.open(
            config.data_dir,
            limits=limits,
            variants=config.all_variants(),
            executors=max(1, len(local_gpus(config))),
            now_ms=parts.now_ms,
            elapsed_ms=parts.elapsed_ms,
        )
        stack.push_async_callback(store.close)
        await store.jobs.recover()
    except (StoreFull, StoreBusy):
        raise  # mended from outside, so a later start may work
    except StoreError as error:
        raise StartError(str(error)) from error
    return store


async def _open_spool(config: Config, store: JobStore) -> Spool:
    folder = config.data_dir / "spool"
    known = await store.retention.known_files()
    try:
        spool = Spool(folder, config.retention.min_free_mib * MIB)
        await asyncio.to_thread(spool.sweep, known, 0)  # of any age: nobody else writes into a locked folder
    except OSError as error:
        raise StartError(f"{folder} cannot be used ({error.strerror}). {chown_advice(config.data_dir)}") from error
    return spool


def _count_cards(store: JobStore, crew: Crew) -> None:
    """Let the times that people are told follow the cards that work now."""
    store.jobs.executors = max(1, crew.count_able())
