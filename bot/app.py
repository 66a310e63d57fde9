"""The composition root: builds everything from a Config, starts it in order and stops it in the reverse."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import discord

from bot.config import MIB, Config
from bot.edge.client import VivantClient
from bot.edge.context import Services
from bot.edge.delivery import Poster
from bot.edge.owner_alerts import Alarm
from bot.edge.status_cards import StatusCards
from bot.metrics import Metrics
from bot.queue.database import StoreError, StoreFull
from bot.queue.job import Limits
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.work.switches import Switches
from bot.work.worker import Crew, Worker
from generator.backend.backend import ExecutorState, LocalBackend
from generator.picture.intake import PictureChild
from generator.picture.limits import PictureLimits
from generator.protocol import ExecutorConfig
from generator.video.shrink import shrink

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
HEALTHY_SECONDS = 30.0
SWEEP_SECONDS = 3600.0


class StartError(Exception):
    """The bot cannot start, and starting it again will not help; the text says what to do."""


async def run_bot(
    config: Config, make_backend: Callable[..., LocalBackend] = LocalBackend, make_poster: type[Poster] = Poster
) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError when something must be mended first."""
    if not config.token.get_secret_value():
        raise StartError("There is no token. Put it into config.toml or VIVANT_TOKEN; `python -m bot doctor` says how.")
    async with AsyncExitStack() as stack:
        store = await _open_store(config, stack)
        metrics = _open_metrics(config, store, stack)
        spool = Spool(config.data_dir / "spool", config.retention.min_free_mib * MIB)
        known = await store.known_files()
        await asyncio.to_thread(spool.sweep, known, 0)  # of any age: the lock is ours, so nobody else writes here
        switches = Switches(config, store)
        await switches.load()
        backends = [make_backend(_executor(config, switches), gpu=gpu, on_state=_log_state) for gpu in _gpus(config)]
        for backend in backends:
            await backend.start()
            stack.push_async_callback(backend.close)
        pictures = await stack.enter_async_context(PictureChild(_picture_limits(config)))
        cards = StatusCards(store, switches)
        alarm = Alarm()
        worker = partial(Worker, store, spool, gate=switches.gate, on_progress=cards.progress, on_change=cards.changed)
        crew = Crew()
        workers = [worker(backend, on_storm=alarm.storm, crew=crew) for backend in backends]
        services = Services(
            config=config,
            store=store,
            spool=spool,
            pictures=pictures,
            switches=switches,
            cards=cards,
            workers=workers,
            shrink=shrink,
            preload=partial(_preload, backends),
        )
        _expect_no_voice()
        client = await stack.enter_async_context(VivantClient(services))
        await _log_in(client, config.token.get_secret_value())
        poster = make_poster(store, spool, switches, cards, shrink)
        loops = [poster.run(client), alarm.run(client, config.owners), *(item.run() for item in metrics)]
        await _run_until_stopped(services, client, *loops)


async def _open_store(config: Config, stack: AsyncExitStack) -> JobStore:
    limits = Limits(
        queued_per_user=config.queue.max_queued_per_user,
        queued_per_guild=config.queue.max_queued_per_server,
        running_per_user=config.queue.max_running_per_user,
        max_attempts=config.queue.max_attempts,
    )
    try:
        executors = len(_gpus(config))
        store = await JobStore.open(config.data_dir, limits=limits, variants=config.all_variants(), executors=executors)
        stack.push_async_callback(store.close)
        await store.recover()
    except StoreFull:
        raise  # mended by making room, so a later start may work
    except StoreError as error:
        raise StartError(str(error)) from error
    return store


def _open_metrics(config: Config, store: JobStore, stack: AsyncExitStack) -> list[Metrics]:
    """Give one Metrics, or none where the operator wants none."""
    if not config.metrics_port:
        return []
    metrics = Metrics(store)
    try:
        metrics.listen(config.metrics_port)
    except OSError as error:
        raise StartError(
            f"Port {config.metrics_port} cannot be used for the metrics ({error.strerror}). "
            "Set metrics_port to a free one, or to 0 for no metrics."
        ) from error
    stack.push_async_callback(metrics.close)
    return [metrics]


def _gpus(config: Config) -> list[int | None]:
    return list(config.generator.gpus) or [None]


def _executor(config: Config, switches: Switches) -> ExecutorConfig:
    settings = config.generator
    return ExecutorConfig(
        variants=config.all_variants(),
        device=settings.device,
        pipeline=settings.pipeline,
        memory=settings.memory,
        compile=settings.compile,
        preload=switches.variant.name,
        state_folder=config.data_dir / "executor",
        threads=settings.threads,
    )


def _preload(backends: list[LocalBackend], variant: str) -> None:
    for backend in backends:
        backend.preload(variant)


def _picture_limits(config: Config) -> PictureLimits:
    return PictureLimits(max_bytes=config.picture.max_mib * MIB, max_pixels=config.picture.max_megapixels * 1_000_000)


def _log_state(state: ExecutorState, facts: dict[str, Any]) -> None:
    if state is ExecutorState.BROKEN and "error" in facts:
        log.error("the model cannot be loaded: %s", facts["error"]["text"])
        return
    log.info("executor %s %s", state, {key: value for key, value in facts.items() if value is not None})


def _expect_no_voice() -> None:
    # discord.py warns at every start about voice libraries that nothing here uses
    discord.VoiceClient.warn_nacl = False
    discord.VoiceClient.warn_dave = False


async def _log_in(client: VivantClient, token: str) -> None:
    """Log in, however long Discord or the network takes to come up."""
    rest_seconds = 1.0
    while True:
        try:
            return await client.login(token)
        except discord.LoginFailure as error:
            raise StartError("Discord refuses the token. Reset it on the application's Bot page.") from error
        except (aiohttp.ClientError, OSError, discord.DiscordServerError) as error:
            log.warning("Discord cannot be reached (%s); again in %g s", type(error).__name__, rest_seconds)
        await asyncio.sleep(rest_seconds)
        rest_seconds = min(2 * rest_seconds, 60.0)


async def _run_until_stopped(services: Services, client: VivantClient, *more: Coroutine[Any, Any, None]) -> None:
    """Keep every loop running until a signal; the first one that fails ends them all."""
    config = services.config
    loops = [
        client.connect(),
        services.cards.run(client),
        *more,
        *(worker.run() for worker in services.workers),
        _beat(client, _heartbeat_path(config)),
        sweep_hourly(services),
    ]
    with _stop_signals() as stopped:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(loop) for loop in loops]
            ended = asyncio.create_task(stopped.wait())
            await asyncio.wait([ended, *running], return_when=asyncio.FIRST_COMPLETED)
            if not stopped.is_set():  # a loop that returns is as bad as one that raises: only a signal ends the bot
                raise RuntimeError("one of the bot's loops ended by itself")
            ended.cancel()
            log.info("stopping: running jobs go back into the line")
            for task in running:
                task.cancel()


@contextlib.contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    # discord.py handles Ctrl-C only; a container is stopped by SIGTERM.
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def sweep_hourly(services: Services, pause: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
    """Apply retention to rows and files, at once and then every hour."""
    retention = services.config.retention
    while True:
        names = await services.store.sweep(clip_hours=retention.clip_hours, row_days=retention.row_days)
        await asyncio.to_thread(services.spool.delete, names)
        known = await services.store.known_files()
        await asyncio.to_thread(services.spool.sweep, known)
        await pause(SWEEP_SECONDS)


def _heartbeat_path(config: Config) -> Path:
    return config.data_dir / "connected"


async def _beat(client: VivantClient, path: Path) -> None:
    """Touch a file while the gateway answers: `python -m bot healthy` looks at its age."""
    while True:
        if client.is_ready() and not client.is_closed():
            path.touch()
        await asyncio.sleep(HEARTBEAT_SECONDS)


def is_healthy(config: Config) -> bool:
    """Tell whether the bot that holds this data folder was connected within the last half minute."""
    with contextlib.suppress(FileNotFoundError):
        return time.time() - _heartbeat_path(config).stat().st_mtime < HEALTHY_SECONDS
    return False
