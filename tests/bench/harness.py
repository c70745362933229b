"""The servers that are measured, the load on them, and the table of what came out."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

here = Path(__file__).resolve().parent
tree = here.parent.parent
scratch = tree / "build" / "bench"  # kept between runs: the load generator and nginx
debian_python = "/usr/bin/python3"  # the one that Debian's packages belong to
peer_packages = "python3-fastapi python3-uvicorn python3-asyncpg python3-uvloop python3-httptools"
ticks = os.sysconf("SC_CLK_TCK")
connections = 32
no_limit = 1_000_000_000


# ---- what is needed ------------------------------------------------------------------------------------------------


def set_up(*commands):
    subprocess.run(["bash", "-ec", ". .ci/setup\n" + "\n".join(commands)], cwd=tree, check=True, stdout=sys.stderr)


def find_nginx():
    """Unpacked, not installed: the package would start a service of the machine."""
    for known in (shutil.which("nginx", path="/usr/sbin:/usr/bin"), scratch / "nginx/usr/sbin/nginx"):
        if known and Path(known).exists():
            return str(known)
    set_up(
        f"cd '{scratch}'",
        "apt-get download -q nginx 2>/dev/null || { as_root apt-get update -q && apt-get download -q nginx; }",
        "dpkg-deb -x nginx_*.deb nginx && rm nginx_*.deb",
    )
    return str(scratch / "nginx/usr/sbin/nginx")


def build_program(name, *flags):
    """One of the small programs beside this file."""
    program, source = scratch / name, here / f"{name}.cpp"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["g++", "-std=c++20", "-O2", "-o", program, source, *flags], check=True)
    return str(program)


# ---- servers -------------------------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(port, path, token="", body=None):
    """Status and parsed body of one request."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": "Bearer " + token} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    link.request("GET" if body is None else "POST", path, json.dumps(body) if body is not None else None, headers)
    answer = link.getresponse()
    text = answer.read()
    link.close()
    return answer.status, json.loads(text) if text else None


def wait_for(port, path, process, token=""):
    while True:
        try:
            if fetch(port, path, token)[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        time.sleep(0.002)


class Server:
    """A process that answers on a port of loopback. `pid` is the process whose time is counted."""

    def __init__(self, process, port):
        self.process, self.port, self.pid = process, port, process.pid

    def cpu_seconds(self):
        """User and system time of all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    def resident_kb(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


@contextmanager
def started(arguments, folder, environment=None):
    """The process, ended and waited for in the end; what it prints goes to a file in `folder`."""
    with open(folder / (Path(arguments[0]).name + f"-{free_port()}.log"), "w+") as log:
        # Without what would be taken for settings: the server is told all of its own.
        ours = ("BACKSTAY_", "DATABASE_URL", "ENVIRONMENT")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        process = subprocess.Popen(arguments, stdout=log, stderr=log, env=kept | (environment or {}))
        try:
            yield process
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read()[-4000:])
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def make_request(path, token="", body=None):
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", "Host: localhost"]
    text = json.dumps(body) if body is not None else ""
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(text)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + text).encode()


def result_of(load):
    output = load.stdout.read()
    if load.wait() != 0:
        raise RuntimeError("the load generator failed")
    return json.loads(output)


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.binary = str(Path(os.environ.get("BACKSTAY_BINARY", tree / "build/backstay")).resolve())
        self.keys = secrets.token_hex(32)
        scratch.mkdir(parents=True, exist_ok=True)
        self.load = build_program("load")

    @contextmanager
    def backstay(self, data, database="", **more):
        port = free_port()
        limits = "guess_per_minute guess_per_hour login_per_address mail_per_address general payments".split()
        settings = {
            "environment": "production",
            "http.port": port,
            "data.directory": data,
            "database.url": database,
            "security.keys": self.keys,
            "sessions.access": "2h",
            "log.level": "warning",
            **{f"limits.{name}": no_limit for name in limits},
            **more,
        }
        flags = [f"--set={name}={value}" for name, value in settings.items() if value != ""]
        with started([self.binary, "serve", *flags], self.folder) as process:
            wait_for(port, "/health/ready", process)
            yield Server(process, port)

    @contextmanager
    def nginx(self):
        port, folder = free_port(), self.folder / "nginx"
        folder.mkdir()
        config = (here / "nginx.conf").read_text().replace("FOLDER", str(folder)).replace("PORT", str(port))
        (folder / "nginx.conf").write_text(config)
        command = [find_nginx(), "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
        with started(command, self.folder) as process:
            wait_for(port, "/", process)
            server = Server(process, port)
            server.pid = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
            yield server

    @contextmanager
    def fastapi(self, database, key, token, path):
        if subprocess.run([debian_python, "-c", "import fastapi, uvicorn, asyncpg, uvloop, httptools"], stderr=subprocess.DEVNULL).returncode:
            set_up(f"install_packages {peer_packages}")
        port = free_port()
        flags = f"--app-dir {here} --port {port} --no-access-log --loop uvloop --http httptools --log-level warning"
        command = [debian_python, "-m", "uvicorn", "peer:app", *flags.split()]
        environment = {"DATABASE_URL": database, "TOKEN_KEY": key, "PYTHONDONTWRITEBYTECODE": "1"}
        with started(command, self.folder, environment) as process:
            wait_for(port, path, process, token)
            yield Server(process, port)

    def start_load(self, server, request, links=connections, seconds=None, rate=0.0):
        arguments = [server.port, links, seconds or self.options.seconds, rate]
        load = subprocess.Popen([self.load, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        load.stdin.write(request)
        load.stdin.close()
        return load

    def press(self, server, path, token="", rate=0.0, seconds=None, body=None, links=connections):
        """One run of the load generator; every answer was a 200."""
        return self.press_all(server, make_request(path, token, body), rate, seconds, links)

    def press_all(self, server, requests, rate=0.0, seconds=None, links=connections):
        """The same with several requests, one after the other."""
        before = server.cpu_seconds()
        result = result_of(self.start_load(server, requests, links, seconds, rate))
        answers = result["statuses"].get("200", 0)
        if list(result["statuses"]) != ["200"]:
            raise RuntimeError(f"not all were 200: {result['statuses']}")
        result["per_cpu_second"] = answers / max(server.cpu_seconds() - before, 1 / ticks)
        result["rate"] = answers / result["seconds"]
        return result


# ---- the story: somebody who signed up and paid --------------------------------------------------------------------


def sign_up(server, email, password):
    body = {"email": email, "password": password}
    status, answer = fetch(server.port, "/api/v1/auth/register", body=body)
    if status != 201:
        raise RuntimeError(f"cannot sign up: {status} {answer}")
    return answer["user"]["id"], answer["access_token"]


def socket_folder(data):
    """Where the private cluster listens: the fifth line of its lock file."""
    return next(data.rglob("postmaster.pid")).read_text().splitlines()[4]


def run_sql(sockets, sql):
    command = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", sockets, "-U", "backstay", "backstay"]
    subprocess.run(command, input=sql, text=True, check=True)


def settle_payment(sockets, account):
    """A paid payment, among others so that the index has something to find."""
    wanted = uuid.uuid4()
    sql = f"""
      INSERT INTO plans (id, name, duration_days) VALUES (gen_random_uuid(), 'Premium Monthly', 30);
      INSERT INTO payments (id, account_id, plan_id, plan_name, duration_days, amount, currency, provider, external_id,
                            url, expires_at, state, created_at, tried_at, settled_at)
      SELECT CASE n WHEN 1 THEN '{wanted}' ELSE gen_random_uuid() END, '{account}', plans.id, plans.name, 30, 999, 'USD',
             'cryptobot', n, 'https://pay.example.com/' || n, now(), 'paid', now(), now(), now()
      FROM plans, generate_series(1, 10000) AS n;
      ANALYZE payments;"""
    run_sql(sockets, sql)
    return f"/api/v1/payments/{wanted}/status"


def make_token(key, account):
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    head = encode(b'{"alg":"HS256","typ":"JWT"}')
    claims = encode(json.dumps({"sub": account, "exp": int(time.time()) + 7200}).encode())
    signature = hmac.new(key.encode(), head + b"." + claims, hashlib.sha256).digest()
    return b".".join((head, claims, encode(signature))).decode()


# ---- what came out ------------------------------------------------------------------------------------------------


class Table:
    columns = "{:<44}{:>12}{:>12}{:>10}  {:<17}{:<12}{}"

    def __init__(self):
        self.rows = [self.columns.format("median of the rounds", "ours", "peer", "ratio", "spread", "target", "")]

    def add(self, name, ours, peer, values, target, at_least, unit="", missed="MISSED"):
        value = statistics.median(values)
        met = value >= target if at_least else value <= target
        spread = f"{min(values):.3g} – {max(values):.3g}"
        wish = f"{'≥' if at_least else '≤'} {target:g}{unit}"
        self.rows.append(self.columns.format(name, ours, peer, f"{value:.3g}{unit}", spread, wish, "ok" if met else missed))

    def compare(self, name, ours, peer, target):
        ratios = [a["per_cpu_second"] / b["per_cpu_second"] for a, b in zip(ours, peer)]
        middle = [f"{statistics.median(r['per_cpu_second'] for r in side):,.0f}/s" for side in (ours, peer)]
        self.add(name, *middle, ratios, target, True)

    def compare_tails(self, name, ours, peer, target):
        """The target is ours alone; the peer's ratio tells how quiet the machine was: where the peer is beyond the
        target too, and no better than we are, nothing can be said."""
        ratios, middle = [run["p99"] / run["p50"] for run in ours], statistics.median
        of_peer = middle(r["p99"] / r["p50"] for r in peer)
        told = f"{middle(r['p50'] for r in ours):,.0f} µs"
        missed = "noise" if of_peer >= middle(ratios) else "MISSED"
        self.add(name, told, f"{of_peer:.3g}", ratios, target, False, missed=missed)

    def __str__(self):
        return "\n".join(self.rows)
