"""What signing in costs: the same time for known and unknown users, and a flood that slows nobody else."""

import http.client
import json
import os
import random
import statistics
import subprocess
import time

from harness import build_program, make_request, result_of, run_sql

tries, accounts = 2000, 500
password = "Correct-Horse-7-Battery"
hashing_threads = max(1, (os.cpu_count() or 2) // 2)  # the server's own choice


def add_accounts(sockets, email):
    """Copies of an account under other names: they know its password."""
    run_sql(
        sockets,
        f"""
        INSERT INTO accounts (id, login, email, password_hash, role, is_active, is_email_verified, locale, created_at,
                              updated_at)
        SELECT gen_random_uuid(), 'known_' || n, 'known_' || n || '@example.com', password_hash, role, true, true,
               locale, created_at, updated_at
        FROM accounts, generate_series(1, {accounts}) AS n WHERE email = '{email}';
        ANALYZE accounts;""",
    )


def time_of(link, login):
    body = json.dumps({"login": login, "password": "Not-The-Right-1"})
    begun = time.perf_counter()
    link.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
    answer = link.getresponse()
    answer.read()
    if answer.status != 401:
        raise RuntimeError(f"a wrong password was answered with {answer.status}")
    return (time.perf_counter() - begun) * 1e6


def measure_times(bench, table, server, sockets):
    """Interleaved, in random order, each time another account, so that no lock and no drift favours a side."""
    add_accounts(sockets, bench.email)
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    times = {"known": [], "unknown": []}
    for n in range(-20, tries):
        for side in random.sample(list(times), 2):
            taken = time_of(link, f"{side}_{n % accounts + 1}")
            if n >= 0:  # the first warm up
                times[side].append(taken)
    link.close()
    known, unknown = (statistics.median(times[side]) for side in ("known", "unknown"))
    off = abs(known - unknown) / known * 100
    table.add("wrong password : unknown user, time", f"{known:,.0f} µs", f"{unknown:,.0f} µs", [off], 5, False, " %")


def bare_rate(program, seconds):
    return float(subprocess.run([program, str(hashing_threads), str(seconds)], check=True, capture_output=True).stdout)


def measure_flood(bench, table, server):
    """Five times the sign-ins that can be checked, and beside them somebody who only looks."""
    hashes = build_program("hashes", "-lsodium", "-pthread")
    sign_in = make_request("/api/v1/auth/login", body={"login": "known_1", "password": password})
    me = make_request("/api/v1/auth/me", bench.token)
    seconds, rate = max(5, bench.options.seconds), 200
    shares, tails, refused = [], [], []
    for _ in range(bench.options.rounds):
        bare = bare_rate(hashes, seconds)
        quiet = result_of(bench.start_load(server, me, 8, seconds, rate))
        flood = bench.start_load(server, sign_in, 400, seconds + 2, 5 * bare)
        time.sleep(1)
        beside = result_of(bench.start_load(server, me, 8, seconds, rate))
        flooded = result_of(flood)
        statuses = flooded["statuses"]
        if set(statuses) != {"200", "429"}:
            raise RuntimeError(f"a flood was answered with {statuses}")
        shares.append(statuses["200"] / flooded["seconds"] / bare)
        tails.append(beside["p99"] / quiet["p99"])
        refused.append(statuses["429"])
    told = f"{statistics.median(refused):,.0f} × 429"
    table.add("sign-ins in a flood : bare libsodium", told, f"{bare:.0f}/s", shares, 0.85, True)
    table.add("p99 of /auth/me, in a flood : quiet", "", f"{quiet['p99']:,.0f} µs", tails, 3, False)
