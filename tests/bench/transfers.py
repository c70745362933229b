"""Transfers a second: the wallet actor beside a PL/pgSQL function that pgbench calls, on the same cluster and books."""

import os
import re
import statistics
import subprocess
from pathlib import Path

from harness import connections, run_sql

wallets = 1000

# What a careful programmer writes without an actor: lock both books in order, then one row, two entries, two balances.
# The first book is read under the lock, so that a wallet which is short is refused before anything is written.
peer = f"""
  CREATE FUNCTION bench_transfer(source bigint, target bigint, amount bigint) RETURNS bigint LANGUAGE plpgsql AS $$
  DECLARE made bigint; left_there bigint;
  BEGIN
    PERFORM 1 FROM ledger_books WHERE id IN (source, target) ORDER BY id FOR UPDATE;
    SELECT balance INTO left_there FROM ledger_books WHERE id = source;
    IF left_there < amount THEN RAISE 'insufficient funds'; END IF;
    INSERT INTO ledger_transfers (cause_kind, cause_id, created_at)
      VALUES ('admin', gen_random_uuid()::text, now()) RETURNING id INTO made;
    INSERT INTO ledger_entries (transfer_id, book_id, amount) VALUES (made, source, -amount), (made, target, amount);
    UPDATE ledger_books SET balance = balance - amount WHERE id = source;
    UPDATE ledger_books SET balance = balance + amount WHERE id = target;
    RETURN made;
  END $$;
  INSERT INTO ledger_books (kind, owner, currency) VALUES ('revenue', '', 'USD') ON CONFLICT DO NOTHING;
  INSERT INTO ledger_books (kind, owner, currency, balance)
    SELECT 'wallet', 'bench-' || n, 'USD', 1000000000 FROM generate_series(1, {wallets}) AS n;
  ANALYZE ledger_books;
"""

# pgbench numbers the wallets as they were made, one after the other.
scripts = {
    "wallets": r"""\set source random(0, :wallets - 1)
\set target (:source + random(1, :wallets - 1)) % :wallets
SELECT bench_transfer(:first + :source, :first + :target, 1)""",
    "revenue": r"""\set source random(0, :wallets - 1)
SELECT bench_transfer(:first + :source, :revenue, 1)""",
}


def ids(sockets):
    query = """SELECT min(id) FILTER (WHERE owner = 'bench-1'), min(id) FILTER (WHERE kind = 'revenue' AND currency = 'USD')
               FROM ledger_books"""
    command = ["psql", "-qXAt", "-h", sockets, "-U", "backstay", "backstay", "-c", query]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().split("|")


def find_pgbench():
    return str(sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))[-1])


def rate_of_peer(bench, sockets, target, first, revenue):
    script = bench.folder / f"{target}.pgbench"
    script.write_text(scripts[target])
    command = [find_pgbench(), "-n", "-M", "prepared", "-h", sockets, "-U", "backstay", "-f", str(script)]
    command += ["-c", str(connections), "-j", str(os.cpu_count()), "-T", str(max(1, round(bench.options.seconds)))]
    command += [f"-Dwallets={wallets}", f"-Dfirst={first}", f"-Drevenue={revenue}", "backstay"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if not re.search(r"failed transactions: 0 ", told):
        raise RuntimeError(told)
    return float(re.search(r"tps = ([\d.]+)", told)[1])


def rate_of_actor(bench, database, target):
    program = Path(bench.binary).parent / "tests/bench_transfers"
    command = [program, database, str(connections), str(bench.options.seconds), str(wallets), target]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def measure_transfers(bench, table, sockets, database):
    run_sql(sockets, peer)
    first, revenue = ids(sockets)
    for target, name in {"wallets": f"{wallets:,} wallets", "revenue": "wallets and one book"}.items():
        ours, peers = [], []
        for _ in range(bench.options.rounds):
            peers.append(rate_of_peer(bench, sockets, target, first, revenue))
            ours.append(rate_of_actor(bench, database, target))
        ratios = [a / b for a, b in zip(ours, peers)]
        told = [f"{statistics.median(side):,.0f}/s" for side in (ours, peers)]
        table.add(f"transfers, {name} : PL/pgSQL", *told, ratios, 3, True)
