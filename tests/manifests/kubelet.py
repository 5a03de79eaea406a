"""The containers of rendered documents as processes of this machine, each pod with a loopback address of its own.

What a container says is taken as it stands: command, arguments, environment, mounted secrets, ports, probes. Only three
things are put in place of what a cluster brings: `0.0.0.0` becomes the pod's address, names of Services become the
addresses of their pods, and the folder of a mount becomes one of the test's. Connections are made on the ports that
the documents name, and each that a process has is looked at.
"""

import asyncio
import contextlib
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil

from tests.manifests import checking, paths
from tests.manifests.rendering import Document, of_kind, pods

_POLL_S = 0.05
_ANYWHERE = "0.0.0.0"  # noqa: S104 (it is what is replaced)
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


class NotRun(Exception):
    """A container that ended, or a probe that did not pass; the text says which and why."""


@dataclass
class Machine:
    """Pods of one overlay."""

    documents: list[Document]
    folder: Path
    held: Mapping[tuple[str, str], str]
    """What each (secret, key) holds, with the names that a cluster would resolve."""
    places: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    """Whom one finds at an address: (party, the port that its documents name)."""
    addresses: dict[str, str] = field(default_factory=dict)
    """The address of each pod, and so of its Service: both have one name."""
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _connections: set[paths.Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Give each pod an address, and know its ports."""
        network = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}"
        for number, (name, pod) in enumerate(pods(self.documents).items(), start=1):
            self.addresses[name] = f"{network}.{number}"
            for port in checking.ports(pod).values():
                self.places[self.addresses[name], port] = (name, port)

    def add(self, party: str, port: int) -> str:
        """Give an address to somebody whom an operator brings, and who listens at a port."""
        self.addresses[party] = f"{next(iter(self.addresses.values())).rpartition('.')[0]}.{len(self.addresses) + 1}"
        self.places[self.addresses[party], port] = (party, port)
        return self.addresses[party]

    async def run_job(self, name: str, within_s: float) -> None:
        """Run a job to its end.

        Raises:
            NotRun: its end was not a good one.
        """
        process = await self._spawn(name)
        if await asyncio.wait_for(process.wait(), within_s) != 0:
            raise NotRun(f"{name}: {self.log(name)}")

    async def start(self, name: str, within_s: float) -> None:
        """Start a pod and ask it as its probes say, until each has passed.

        Raises:
            NotRun: it ended, or a probe never passed.
        """
        process = await self._spawn(name)
        container = pods(self.documents)[name]["spec"]["containers"][0]
        deadline_s = time.monotonic() + within_s
        for probe in _PROBES:
            while (finding := await self._ask(name, container[probe]["httpGet"])) is not None:
                if process.returncode is not None:
                    raise NotRun(f"{name} ended: {self.log(name)}")
                if time.monotonic() > deadline_s or finding == "404":
                    raise NotRun(f"{name}: {probe}: {finding}")
                await asyncio.sleep(_POLL_S)

    @contextlib.asynccontextmanager
    async def client(self, source: str | None, service: str) -> AsyncIterator[httpx2.AsyncClient]:
        """Give a client that reaches a Service by its port, as `source`; no policy rules None.

        Raises:
            NotRun: the policies don't let it.
        """
        said = of_kind(self.documents, "Service")[service]["spec"]
        name, pod = next(
            (name, pod) for name, pod in pods(self.documents).items() if checking.selects(said["selector"], pod)
        )
        port = checking.ports(pod)[said["ports"][0]["targetPort"]]
        if source and (source, name, port) not in paths.allowed(self.documents):
            raise NotRun(f"{source} may not reach {name} at {port}")
        async with httpx2.AsyncClient(
            base_url=f"http://{self.addresses[name]}:{port}", timeout=10, trust_env=False
        ) as client:
            yield client

    def look(self) -> set[paths.Path]:
        """Give each connection that any process was seen to have made, by now."""
        for name, process in self.processes.items():
            if process.returncode is not None:
                continue
            for connection in psutil.Process(process.pid).net_connections(kind="inet"):
                here, there = connection.laddr, connection.raddr
                if there and (here.ip, here.port) not in self.places:
                    known = self.places.get((there.ip, there.port), (f"unknown {there.ip}", there.port))
                    self._connections.add((name, *known))
        return set(self._connections)

    async def end(self, name: str) -> None:
        """End a pod as Kubernetes does after `preStop`, within what then is left of its grace.

        Raises:
            NotRun: it would have been killed.
        """
        spec = pods(self.documents)[name]["spec"]
        before_s = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        process = self.processes[name]
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), spec["terminationGracePeriodSeconds"] - before_s)
        except TimeoutError as error:
            raise NotRun(f"{name} would have been killed") from error

    async def close(self) -> None:
        """End whatever still runs."""
        for process in self.processes.values():
            if process.returncode is None:
                process.kill()
            await process.wait()

    def log(self, name: str) -> str:
        """Give the end of what a pod wrote."""
        return (self.folder / name / "log").read_text("utf-8")[-2_000:]

    async def _ask(self, name: str, asked: Mapping[str, str]) -> str | None:
        """Give what is wrong with the answer to a probe; None: nothing."""
        port = checking.ports(pods(self.documents)[name]).get(asked["port"])
        try:
            async with httpx2.AsyncClient(timeout=5, trust_env=False) as client:
                answer = await client.get(f"http://{self.addresses[name]}:{port}{asked['path']}")
        except httpx2.HTTPError as error:
            return type(error).__name__
        return None if answer.status_code < 400 else str(answer.status_code)

    async def _spawn(self, name: str) -> asyncio.subprocess.Process:
        pod = pods(self.documents)[name]
        container = pod["spec"]["containers"][0]
        root = self.folder / name
        for path, source in checking.files(pod).items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._resolved(self.held[source]), "utf-8")
        environment = {"PATH": f"{Path(sys.prefix) / 'bin'}:{os.defpath}"}
        for variable, value in checking.environment(container).items():
            inside = value in checking.files(pod)
            environment[variable] = f"{root}{value}" if inside else value.replace(_ANYWHERE, self.addresses[name])
        (root / "work").mkdir(parents=True, exist_ok=True)
        with (root / "log").open("wb") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *container["command"],
                *container.get("args", ()),
                env=environment,
                cwd=root / "work",
                stdout=log,
                stderr=log,
            )
        return self.processes[name]

    def _resolved(self, text: str) -> str:
        """Put addresses in place of names, as the cluster's name servers would."""
        for name, address in self.addresses.items():
            text = text.replace(f"@{name}:", f"@{address}:").replace(f"//{name}:", f"//{address}:")
        return text


@contextlib.asynccontextmanager
async def relayed(place: tuple[str, int], socket: Path) -> AsyncIterator[None]:
    """Let whoever comes to an address talk to the server behind a socket."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with AsyncExitStack() as stack:
            stack.callback(writer.close)
            there_reader, there_writer = await asyncio.open_unix_connection(str(socket))
            stack.callback(there_writer.close)
            ways = [
                asyncio.ensure_future(_copy(reader, there_writer)),
                asyncio.ensure_future(_copy(there_reader, writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    server = await asyncio.start_server(pass_on, *place)
    try:
        yield
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
