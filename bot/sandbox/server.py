"""The running sandbox: gateway, REST and CDN behind TLS and a proxy, and the page on a port of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from aiohttp import web

from bot.sandbox.cdn import mount_cdn
from bot.sandbox.exchanges import Record
from bot.sandbox.faults import FaultScript
from bot.sandbox.gateway.gateway import Gateway
from bot.sandbox.page.gpu_process import GpuProcess
from bot.sandbox.page.server import page_application
from bot.sandbox.proxy import HOSTS, Proxy
from bot.sandbox.rest import application, interactions, messages
from bot.sandbox.rest.http import Api
from bot.sandbox.rest.invalid_requests import InvalidRequests
from bot.sandbox.rest.rate_limits import Buckets, Limits
from bot.sandbox.world.world import World
from generator.memory import MIB

ROUTES = [*application.ROUTES, *messages.ROUTES, *interactions.ROUTES]
_MAX_BODY = 256 * MIB
"""the most that is read; above Discord's own 25 MiB a request is answered with 413"""


class SandboxUnavailable(Exception):
    """The sandbox cannot start; the text says what to install."""


class Sandbox:
    """A local Discord for unmodified bots: `async with Sandbox() as sandbox`, then start a bot with `environment()`."""

    def __init__(self, port: int = 0, faults: FaultScript | None = None, *, rate_limits: bool = False) -> None:
        if importlib.util.find_spec("trustme") is None:
            raise SandboxUnavailable(
                "The local Discord needs trustme for its throw-away certificates: pip install 'vivant[demo]'"
            )
        self.world = World()
        self.faults = faults or FaultScript()
        self.record = Record()
        self.proxy = Proxy(self.record)
        self.gateway = Gateway(self.world, self.faults, self.record)
        self.world.session_starts.enforced = rate_limits
        self.gpu = GpuProcess()
        """the GPU process that the page may kill; whoever starts the bot names the bot's process in it"""
        self.proxy_url = ""
        self.page_url = ""
        self._folder: Path | None = None
        self._port = port
        self.invalid_requests = InvalidRequests(self.world.clock)
        self._limits = Limits(self.invalid_requests, Buckets(self.world.clock) if rate_limits else None)
        self._stack = contextlib.AsyncExitStack()

    @property
    def unimplemented(self) -> list[str]:
        """Every request that the sandbox does not implement."""
        return self.record.unimplemented

    @property
    def token(self) -> str:
        """The bot's token; `gateway.reset_token` changes it."""
        return self.world.directory.token

    @property
    def ca_path(self) -> Path:
        """The file of the certificate that a bot must trust (SSL_CERT_FILE). Raises RuntimeError before the start."""
        if self._folder is None:
            raise RuntimeError("the sandbox has not been started")
        return self._folder / "sandbox-ca.pem"

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which `python -m bot run` connects to this Discord."""
        return {
            "VIVANT_TOKEN": self.token,
            "VIVANT_PROXY": self.proxy_url,
            "SSL_CERT_FILE": str(self.ca_path),
        }

    def client_tls(self) -> ssl.SSLContext:
        """Return a TLS context for a client in this process: aiohttp.TCPConnector(ssl=...)."""
        return ssl.create_default_context(cafile=self.ca_path)

    @contextlib.asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Reset and refuse every connection while the block runs."""
        self.proxy.out = True
        self.proxy.cut_all()
        try:
            yield
        finally:
            self.proxy.out = False

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.gateway.drop(1001)
        await self._stack.aclose()

    async def _start(self) -> None:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="vivant-sandbox-")))
        tls_port = await self._serve(self._discord(), 0, self._server_tls())
        self.proxy_url = await self.proxy.start(tls_port)
        self._stack.push_async_callback(self.proxy.close)
        page = page_application(self.world, self.gateway.status, self.gpu)
        self.page_url = f"http://127.0.0.1:{await self._serve(page, self._port, None)}"

    def _discord(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_get("/", self.gateway.handle)
        api = Api(self.world, self.faults, self.record, self.proxy, self._limits)
        mount_cdn(app, self.world, api.apply_faults)
        api.mount(app, ROUTES)
        return app

    def _server_tls(self) -> ssl.SSLContext:
        import trustme

        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_path))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS).configure_cert(context)
        return context

    async def _serve(self, app: web.Application, port: int, tls: ssl.SSLContext | None) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        return int(runner.addresses[0][1])
