"""A process that renders on a cluster until it is killed. It is called with the address, the token and a folder."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from generator.backend.cluster.cluster_backend import ClusterBackend, ClusterOptions
from tests.support.fake_bridge import FAKE_BRIDGE
from tests.support.fakes import a_request
from tests.support.local_backend import CONFIG, eventually, start_render


async def main(address: str, token: Path, folder: Path) -> None:
    options = ClusterOptions(
        address=address, exchange_folder=folder / "exchange", token_file=token, command=FAKE_BRIDGE
    )
    backend = ClusterBackend(CONFIG, options)
    await backend.start()
    await eventually(lambda: backend.executors == 1, 60)
    await start_render(backend, a_request(folder, steps=100))
    print("rendering", os.getpid(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
