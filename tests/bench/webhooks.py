"""What a provider's webhook costs: verified, stored, answered; beside a bare insert of pgbench into the same table."""

import hashlib
import hmac
import itertools
import json
import os
import re
import statistics
import subprocess
from pathlib import Path

from harness import connections, run_sql

token = "1:bench"
most_a_second = 20_000  # webhooks that are prepared; more would be sent twice, and a repeat costs less
numbers = itertools.count(1)

# A kind that no worker performs. The row is what ours is, and is found doubled by the same index.
script = """INSERT INTO outbox (kind, payload, deduplication, created_at, due_at)
VALUES ('bench', '{"provider": "cryptobot", "external_id": "1"}', gen_random_uuid()::text, now(), now())"""


def make_webhook(number):
    invoice = {"invoice_id": number, "status": "paid", "currency_type": "fiat", "fiat": "USD", "amount": "9.99"}
    body = json.dumps({"update_id": number, "update_type": "invoice_paid", "payload": invoice}).encode()
    signature = hmac.new(hashlib.sha256(token.encode()).digest(), body, hashlib.sha256).hexdigest()
    head = f"POST /api/v1/webhooks/cryptobot HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}crypto-pay-api-signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def press(bench, server, rate=0.0):
    count = round(most_a_second * bench.options.seconds)
    return bench.press_all(server, b"".join(map(make_webhook, itertools.islice(numbers, count))), rate)


def bare_inserts(bench, sockets):
    """Rate and p99 in microseconds."""
    for old in bench.folder.glob("inserts.*"):
        old.unlink()
    (bench.folder / "insert.pgbench").write_text(script)
    pgbench = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))[-1]
    command = [pgbench, "-n", "-M", "prepared", "-h", sockets, "-U", "backstay", "-f", bench.folder / "insert.pgbench"]
    command += ["-c", connections, "-j", os.cpu_count(), "-T", max(1, round(bench.options.seconds))]
    command += ["-l", f"--log-prefix={bench.folder}/inserts", "backstay"]
    told = subprocess.run([str(each) for each in command], check=True, capture_output=True, text=True).stdout
    lines = itertools.chain.from_iterable(log.read_text().splitlines() for log in bench.folder.glob("inserts.*"))
    times = sorted(int(line.split()[2]) for line in lines)
    return float(re.search(r"tps = ([\d.]+)", told)[1]), times[len(times) * 99 // 100]


def measure_webhooks(bench, table, sockets, database):
    """By a server of its own, which has a provider that nobody answers for, and one hand for the work behind webhooks:
    that waits."""
    ours, peers = [], []
    provider = {"cryptobot.token": token, "cryptobot.url": "http://127.0.0.1:9/api", "outbox.workers": 1}
    with bench.backstay(bench.folder / "webhooks", database, **provider) as server:
        for _ in range(bench.options.rounds):
            peers.append(bare_inserts(bench, sockets))
            ours.append(press(bench, server))
    run_sql(sockets, "DELETE FROM outbox WHERE kind IN ('settle', 'bench')")
    middle = statistics.median
    rates = [f"{middle(side):,.0f}/s" for side in ([run["rate"] for run in ours], [rate for rate, _ in peers])]
    ratios = [run["rate"] / rate for run, (rate, _) in zip(ours, peers)]
    table.add("webhooks stored : bare inserts", *rates, ratios, 0.35, True)
    tails = [f"{middle(side):,.0f} µs" for side in ([run["p99"] for run in ours], [p99 for _, p99 in peers])]
    table.add("p99 of a webhook : of a bare insert", *tails, [r["p99"] / p for r, (_, p) in zip(ours, peers)], 5, False)
