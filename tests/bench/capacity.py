"""What the server takes of a machine: throughput, tails, start, memory."""

import resource
import socket
import statistics
import sys
import time
from contextlib import ExitStack

idle_connections = 5000


def measure_throughput(bench, table, server, database):
    """Beside nginx and FastAPI, interleaved, so that what else the machine does befalls all alike."""
    with bench.nginx() as nginx, bench.fastapi(database, bench.keys, bench.peer_token, bench.payment) as fastapi:
        compare_throughput(bench, table, server, nginx, fastapi)


def compare_throughput(bench, table, server, nginx, fastapi):
    kinds = {
        "static": (server, "/health/live"),
        "session": (server, "/api/v1/auth/me", bench.token),
        "row": (server, bench.payment, bench.token),
        "nginx": (nginx, "/"),
        "fastapi": (fastapi, bench.payment, bench.peer_token),
    }
    for kind in kinds.values():
        bench.press(*kind, seconds=1)  # warms up caches, prepared statements and pools
    runs = {name: [] for name in kinds}
    late = {name: [] for name in kinds}
    for round in range(bench.options.rounds):
        for name, kind in kinds.items():
            runs[name].append(bench.press(*kind))
            late[name].append(bench.press(*kind, rate=0.7 * runs[name][-1]["rate"]))
        print(f"round {round + 1} of {bench.options.rounds}", file=sys.stderr)
    table.compare("static JSON : nginx, per CPU-second", runs["static"], runs["nginx"], 0.6)
    table.compare("session from the cache : our static JSON", runs["session"], runs["static"], 0.6)
    table.compare("row from PostgreSQL : FastAPI", runs["row"], runs["fastapi"], 3)
    for name, peer in ("static", "nginx"), ("session", "nginx"), ("row", "fastapi"):
        table.compare_tails(f"p99 : p50 at 70 % of peak, {name} | {peer}", late[name], late[peer], 5)


def measure_start(bench, table, database):
    times, resident = [], []
    for _ in range(bench.options.rounds):
        begun = time.monotonic()
        with bench.backstay(bench.folder / "second", database) as server:
            times.append((time.monotonic() - begun) * 1000)
            resident.append(server.resident_kb() / 1024)
    table.add("ready after exec", f"{statistics.median(times):.0f} ms", "", times, 500, False, " ms")
    table.add("resident when ready", f"{statistics.median(resident):.1f} MB", "", resident, 40, False, " MB")


def measure_idle(bench, table, database):
    with bench.backstay(bench.folder / "second", database) as server:
        bench.press(server, "/health/live", seconds=1)
        time.sleep(2)
        before = server.cpu_seconds()
        time.sleep(10)
        idle = (server.cpu_seconds() - before) * 10
        table.add("CPU while idle", f"{idle:.2f} %", "", [idle], 1, False, " %")
        kb = measure_connections(server)
        table.add(f"memory an idle connection, at {idle_connections}", f"{kb:.1f} KB", "", [kb], 8, False, " KB")


def measure_connections(server):
    """Each has asked once, and stays."""
    before = server.resident_kb()
    with ExitStack() as open_links:
        for _ in range(idle_connections):
            link = open_links.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            link.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if not link.recv(4096).startswith(b"HTTP/1.1 200 "):
                raise RuntimeError("an idle connection was not answered with 200")
        time.sleep(0.5)
        return (server.resident_kb() - before) / idle_connections


def raise_descriptor_limit():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < idle_connections + 512:
        raise RuntimeError(f"{idle_connections} connections need a higher limit of open files than {most}")
