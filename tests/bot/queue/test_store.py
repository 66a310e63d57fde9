"""The store over several lives of the process."""

from __future__ import annotations

from pathlib import Path

from tests.support.jobs import claimed, new_job, opened, rendered


async def test_recover_queues_again_what_a_dead_process_ran(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job())
        await store.jobs.enqueue(new_job(2))
        running = await claimed(store)

    async with opened(tmp_path) as store:
        assert [job.id for job in await store.jobs.recover()] == [running.id]
        again = await claimed(store)
        assert (again.id, again.attempt) == (running.id, 2)
        assert await store.jobs.settle_rendered(running, rendered(running)) is None


async def test_settings_outlive_the_process(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.settings.set("variant", "svd")
        await store.settings.set("variant", "demo")
    async with opened(tmp_path) as store:
        assert await store.settings.get("variant") == "demo"
        await store.settings.set("variant", None)
        assert await store.settings.get("variant") is None
