"""Requests a second and latency of the server, batched and one by one, over loopback.

    python bench/serving.py [--model FOLDER]

Without a model, a tagger is trained for a moment on the bundled corpus: how good it is does not
matter here. A server that batches and one that does not run side by side and are loaded in turns,
so that both see the same machine. Clients send one short text at a time and wait for the answer;
they share one thread that does as little as it can. `cpu_ms` is the server's processor time for a
request. The last rows are the memory of the server that batches after each further stretch of
requests.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jobs import Row, provenance, write

from convener import api
from convener.demo import load_data
from convener.dictionary import Labeller
from convener.recipes.run_config import RunConfig, override

RESULTS = Path(__file__).parent / "results" / "serving.json"
PROGRAM = Path(sys.executable).with_name("convener")
CLIENTS = (1, 8, 32, 200)
MODES = {"batched": "64", "single": "1"}
TEXTS = (
    "Anna Lind flew from Oslo to Lima.",
    "Airbus hired two pilots in Toulouse.",
    "Rain is expected in Madrid.",
    "Is Oracle leaving California?",
    "The mayor of Riga met Ivo Kask.",
    "Lufthansa cancels flights to Cairo.",
    "Nobody answered.",
    "Clara Voss joins Nokia.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="folder of a model, else one is trained")
    parser.add_argument("--seconds", type=float, default=5, help="of each round of a row")
    parser.add_argument("--rounds", type=int, default=4, help="in which the modes alternate")
    parser.add_argument("--stretches", type=int, default=6, help="of 5,000 requests, for memory")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        model = options.model or trained(Path(folder) / "tagger")
        servers = {mode: stack.enter_context(server(model, size)) for mode, size in MODES.items()}
        for running in servers.values():
            asyncio.run(load(running.port, 8, 2))
        rows = []
        for clients in CLIENTS:
            measured: dict[str, list[Measured]] = {mode: [] for mode in MODES}
            for _, mode in itertools.product(range(options.rounds), MODES):
                measured[mode].append(measure(servers[mode], clients, options.seconds))
            for mode, rounds in measured.items():
                facts = {"task": "serve", "clients": clients, "mode": mode}
                rows.append(facts | figures(rounds) | {"peak_rss_mb": servers[mode].rss("VmHWM")})
                print(json.dumps(rows[-1]), flush=True)
        rows += memory(servers["batched"], options.stretches)
    known = provenance()
    write(options.results, [row | known for row in rows])


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    port: int
    pid: int

    def rss(self, kind: str = "VmRSS") -> int:
        """Its memory in MB, now or at most (VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"{kind}:\s+(\d+) kB", status)
        assert found is not None
        return round(int(found[1]) / 1000)

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rsplit(") ", 1)[1]
        return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """A round: the seconds of each request, of all of it, and of the server's processor."""

    took: list[float]
    errors: int
    seconds: float
    cpu: float


def measure(running: Server, clients: int, seconds: float, most: int | None = None) -> Measured:
    """Load a server for a while, or with so many requests."""
    began, cpu = time.perf_counter(), running.cpu()
    took, errors = asyncio.run(load(running.port, clients, seconds, most))
    return Measured(took, errors, time.perf_counter() - began, running.cpu() - cpu)


def memory(running: Server, stretches: int) -> list[Row]:
    """The memory of a server after more and more requests."""
    rows: list[Row] = []
    for stretch in range(stretches + 1):
        if stretch:
            measure(running, 32, 3600, 5_000)
        requests = 5_000 * stretch
        rows.append({"task": "memory", "further_requests": requests, "rss_mb": running.rss()})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def figures(rounds: Sequence[Measured]) -> Row:
    """Throughput and latencies over all rounds."""
    took = [seconds for one in rounds for seconds in one.took]
    hundredths = statistics.quantiles(took, n=100)
    return {
        "requests_per_second": round(len(took) / sum(one.seconds for one in rounds), 1),
        "p50_ms": round(1000 * hundredths[49], 1),
        "p99_ms": round(1000 * hundredths[98], 1),
        "cpu_ms": round(1000 * sum(one.cpu for one in rounds) / len(took), 2),
        "errors": sum(one.errors for one in rounds),
    }


def trained(folder: Path) -> Path:
    """A tagger that learnt for a moment."""
    data = load_data()
    config = override(RunConfig(), {"seed": 0, "bond.round_steps": 10, "bond.self_rounds": 1})
    documents = Labeller(data.gazetteer).label(data.texts)
    api.train(documents, experts=1, config=config).save_pretrained(folder)
    return folder


@contextmanager
def server(model: Path, batch: str) -> Iterator[Server]:
    """A server on a free port."""
    command = [PROGRAM, "serve", model, "--port", "0", "--batch", batch]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+)/ ", process.stdout.readline())
        assert found is not None
        yield Server(int(found[1]), process.pid)
        process.terminate()


async def load(
    port: int, clients: int, seconds: float, most: int | None = None
) -> tuple[list[float], int]:
    """Seconds of each request, and how many failed, of clients that ask without pause."""
    end = time.perf_counter() + seconds
    took: list[float] = []
    errors = 0
    requests = [request(port, text) for text in TEXTS]
    left = itertools.count(most or 10**9, -1)

    async def client(number: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for content in itertools.cycle(requests[number % len(requests) :] + requests):
            began = time.perf_counter()
            if began > end or next(left) <= 0:
                break
            writer.write(content)
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head)
            assert size is not None
            await reader.readexactly(int(size[1]))
            took.append(time.perf_counter() - began)
            errors += not head.startswith(b"HTTP/1.1 200")
        writer.close()

    await asyncio.gather(*map(client, range(clients)))
    return took, errors


def request(port: int, text: str) -> bytes:
    """A request as it goes over the wire."""
    body = json.dumps({"texts": [text]}).encode()
    head = (
        f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    main()
