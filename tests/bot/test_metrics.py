"""What Prometheus reads of a running bot."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp

from bot.metrics import Metrics
from tests.support.edge import until
from tests.support.jobs import new_job, opened


async def test_they_are_read_on_this_machine_alone_unless_another_address_is_named(tmp_path: Path) -> None:
    """As in a container, whose 127.0.0.1 nobody else reaches. 127.0.0.2 stands for the container's own address."""
    for address, reached in (("127.0.0.1", False), ("0.0.0.0", True)):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        async with opened(tmp_path) as store:
            metrics = Metrics(store)
            metrics.listen(port, address)
            with socket.socket() as client:
                assert (client.connect_ex(("127.0.0.2", port)) == 0) is reached
            await metrics.close()


async def test_the_jobs_are_counted_for_prometheus(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with opened(tmp_path) as store, aiohttp.ClientSession() as session:
        await store.jobs.enqueue(new_job())
        card = {"gpu": "1", "name": "Fake", "vram_gib": 24.0, "plan": "full", "clip_seconds": 4.5}
        metrics = Metrics(store, lambda: [card, {}])
        metrics.listen(port)
        measuring = asyncio.create_task(metrics.run())

        async def counted() -> bool:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                text = await response.text()
                clip = 'vivant_card_clip_seconds{card="1",name="Fake",plan="full"} 4.5'
                return 'vivant_jobs{state="queued"} 1.0' in text and clip in text

        await until(counted, "one waiting job")
        measuring.cancel()
        await asyncio.wait({measuring})
        await metrics.close()
