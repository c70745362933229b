// Runs a real server for a test: `backstay serve` with a data directory of its own, spoken to as an app would.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync, closeSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { open_socket } from "./socket.js";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export const binary = process.env.BACKSTAY_BINARY ?? join(root, "build/backstay");

export const password = "Correct-Horse-7-Battery";

/** The app's part of a mobile sign-in. */
export const phone = {
  device_id: "3f0e8b5e-6f0a-4c57-9d55-0d2f3c5b7a11",
  platform: "android",
  platform_id: "UQ1A.240205.002",
  os_version: "14",
  app_version: "1.4.2",
  device_model: "Pixel 8",
};

/** Our environment without what would be settings of the server. */
export function plain_environment(more = {}) {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("BACKSTAY_") && !["DATABASE_URL", "ENVIRONMENT", "NODE_TEST_CONTEXT"].includes(name),
  );
  return { ...Object.fromEntries(own), ...more };
}

/** A directory that the postgres user can enter. */
export function fresh_directory() {
  const directory = mkdtempSync(join(tmpdir(), "e2e-"));
  chmodSync(directory, 0o755);
  return directory;
}

/** Ports that were free a moment ago, all different. */
export async function free_ports(count) {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((s) => new Promise((done) => s.listen(0, "127.0.0.1", done))));
  const ports = servers.map((s) => s.address().port);
  await Promise.all(servers.map((s) => new Promise((done) => s.close(done))));
  return ports;
}

/** Tries until `check` no longer throws, and returns what it returned; after `seconds` throws its last error. */
export async function eventually(check, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
}

/** Runs a subcommand to its end; one that does not end within a minute is killed, and has no code. */
export async function run(argv, { environment = {}, input = "", cwd } = {}) {
  const child = spawn(binary, argv, { env: plain_environment(environment), cwd, timeout: 60_000, killSignal: "SIGKILL" });
  let out = "", err = "";
  child.stdout.on("data", (d) => (out += d));
  child.stderr.on("data", (d) => (err += d));
  child.stdin.on("error", () => {}); // it may end without having read
  child.stdin.end(input);
  const code = await new Promise((done, failed) => child.on("error", failed).on("close", done));
  return { code, out, err };
}

/** `--set` arguments. */
export const set = (settings) => Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);

/** The command lines of processes that work in a data directory: server, sandbox and all of PostgreSQL's. */
export function processes_of(directory) {
  const found = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      const zombie = / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
      if (!zombie && (command.includes(directory) || readlinkSync(`/proc/${pid}/cwd`).startsWith(directory)))
        found.push(`${pid} ${command}`);
    } catch {
      // it has just ended
    }
  }
  return found;
}

export class Server {
  /**
   * @param settings    what `--set` gets, besides ports and data directory
   * @param environment environment variables for the server alone
   * @param directory   data directory of an earlier server, to go on with it
   */
  constructor({ settings = {}, environment = {}, directory, sandbox = true } = {}) {
    Object.assign(this, { settings, environment, sandbox, directory: directory ?? fresh_directory() });
    this.log_file = join(this.directory, "log");
  }

  get data() {
    return join(this.directory, "data");
  }

  get log() {
    return this.last_log ?? readFileSync(this.log_file, "utf8");
  }

  /** The lines of the log that are ours, parsed. */
  get log_lines() {
    return this.log.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** The settings that any other subcommand needs to find the same database. */
  get arguments() {
    const own = { "http.port": this.port, "sandbox.port": this.sandbox_port, "data.directory": this.data };
    return set({ ...own, ...this.settings });
  }

  /** @param how what `spawn` is told besides, such as `{ detached: true }` for a process group of its own */
  async start(how = {}) {
    [this.port, this.sandbox_port] = this.port ? [this.port, this.sandbox_port] : await free_ports(2);
    this.url = `http://127.0.0.1:${this.port}`;
    this.sandbox_url = `http://127.0.0.1:${this.sandbox_port}`;
    const log = openSync(this.log_file, "a");
    const begun = this.log.length;
    const argv = ["serve", ...(this.sandbox ? ["--sandbox"] : []), ...this.arguments];
    this.process = spawn(binary, argv, { env: plain_environment(this.environment), stdio: ["ignore", log, log], ...how });
    closeSync(log);
    this.ended = new Promise((done) => this.process.on("exit", (code, signal) => done({ code, signal })));
    this.is_running = true;
    this.ended.then(() => (this.is_running = false));
    await this.ready();
    // What it prints for people comes right after it has begun to answer.
    if (this.sandbox) await eventually(() => assert.match(this.log.slice(begun), /Ctrl-C stops it/));
    this.demo_admin = this.log.match(/Demo admin (?<email>\S+)  password (?<password>\S+)/)?.groups ?? this.demo_admin;
    return this;
  }

  async ready() {
    await eventually(async () => {
      if (!this.is_running) return;
      assert.equal((await fetch(this.url + "/health/ready")).status, 200);
    }, 90);
    if (!this.is_running) throw new Error(`The server did not start:\n${this.log}`);
  }

  /** Ends it as Ctrl-C does; tells how it ended and how long that took. */
  async stop(signal = "SIGINT") {
    const begun = Date.now();
    if (this.is_running) this.process.kill(signal);
    const end = await this.ended;
    return { ...end, seconds: (Date.now() - begun) / 1000 };
  }

  /** Stops it, makes sure that nothing of it is left, and removes its directory. */
  async dispose() {
    if (this.process) await this.stop();
    try {
      await eventually(() => assert.deepEqual(processes_of(this.directory), []), 10);
    } finally {
      for (const left of processes_of(this.directory)) process.kill(Number(left.split(" ")[0]), "SIGKILL");
      if (this.process) this.last_log = this.log;
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  // ---- the API

  /** @returns status, headers, text, and `body`: the text as JSON where it is */
  async api(method, path, { token, body, headers = {} } = {}) {
    const raw = typeof body === "string" || body instanceof Uint8Array || body instanceof FormData;
    const answer = await fetch(this.url + path, {
      method,
      redirect: "manual",
      body: body === undefined || raw ? body : JSON.stringify(body),
      headers: {
        ...(body === undefined || body instanceof FormData ? {} : { "content-type": "application/json" }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
    });
    const text = await answer.text();
    const is_json = answer.headers.get("content-type")?.startsWith("application/json");
    return { status: answer.status, headers: answer.headers, text, body: is_json ? JSON.parse(text) : undefined };
  }

  get(path, token) {
    return this.api("GET", path, { token });
  }

  post(path, body, token, headers) {
    return this.api("POST", path, { token, body, headers });
  }

  /** The fakes' control API: the body of its answer. */
  async control(method, path, body) {
    const answer = await fetch(`${this.sandbox_url}/sandbox/${path}`, {
      method,
      body: body && JSON.stringify(body),
      headers: body ? { "content-type": "application/json" } : {},
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text && JSON.parse(text);
  }

  /** Waits for the newest mail to an address, and returns its six digits. */
  async mailed_code(email) {
    return eventually(async () => {
      const { items } = await this.control("GET", `mail?to=${encodeURIComponent(email)}`);
      assert.ok(items.length > 0, `no mail to ${email}`);
      return items[0].text.match(/\b\d{6}\b/)[0];
    });
  }

  /** A new account, signed in by the mailed code. */
  async sign_up(login) {
    const email = `${login}@example.com`;
    const registered = await this.post("/api/v1/auth/register", { login, email, password, tos_accepted: true });
    assert.equal(registered.status, 201, registered.text);
    const code = await this.mailed_code(email);
    const verified = await this.post("/api/v1/auth/verify-otp", { email, code });
    assert.equal(verified.status, 200, verified.text);
    const { access_token, refresh_token, user } = verified.body;
    return { id: user.id, login, email, token: access_token, refresh_token };
  }

  async sign_in(identifier, secret = password) {
    const answer = await this.post("/api/v1/auth/login", { login_or_email: identifier, password: secret });
    assert.equal(answer.status, 200, answer.text);
    return { id: answer.body.user.id, token: answer.body.access_token, refresh_token: answer.body.refresh_token };
  }

  sign_in_admin() {
    return this.sign_in(this.demo_admin.email, this.demo_admin.password);
  }

  async plan(name) {
    const { body } = await this.get("/api/v1/plans");
    const found = body.find((each) => each.name === name);
    assert.ok(found, `no plan ${name}`);
    return found;
  }

  // ---- WebSockets

  async ticket(token) {
    const answer = await this.post("/api/v1/ws/ticket", undefined, token);
    assert.equal(answer.status, 200, answer.text);
    return answer.body.ticket;
  }

  /** An open WebSocket; see socket.js. */
  async socket(path, token) {
    return open_socket(`ws://127.0.0.1:${this.port}${path}?ticket=${await this.ticket(token)}`);
  }
}

/** For a `describe`: a server that lives as long as its tests, and an `it` that shows its log where one fails. */
export function with_server(options) {
  const server = new Server(options);
  before(() => server.start());
  after(() => server.dispose());
  const check = (name, body) =>
    it(name, async (t) => {
      const begun = server.log.length;
      try {
        await body(t);
      } catch (error) {
        t.diagnostic(`The server's log meanwhile:\n${server.log.slice(begun).slice(-8000)}`);
        throw error;
      }
    });
  return { server, check };
}

/** Every error has one shape, and its request id is in the header too. */
export function assert_error(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers.get("content-type")?.split(";")[0], "application/json", answer.text);
  const { detail, error, request_id } = answer.body;
  assert.equal(typeof detail, "string");
  assert.ok(detail.length > 0);
  assert.equal(error.message, detail);
  assert.match(error.code, /^[A-Z][A-Z0-9_]+$/);
  assert.equal(Object.prototype.toString.call(error.details), "[object Object]");
  assert.ok(request_id);
  assert.equal(answer.headers.get("x-request-id"), request_id);
  if (code) assert.equal(error.code, code, answer.text);
  if (status === 401) assert.equal(answer.headers.get("www-authenticate"), "Bearer");
  if (status === 429 || status === 503) assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
  return answer.body;
}

/** The names of the fields that a 422 complains of, sorted; a field may be broken in several ways. */
export function broken_fields(answer) {
  const body = assert_error(answer, 422);
  for (const { loc, msg, type } of body.errors) {
    assert.ok(Array.isArray(loc) && loc.length >= 2, JSON.stringify(loc));
    assert.equal(typeof msg, "string");
    assert.equal(typeof type, "string");
  }
  return [...new Set(body.errors.map(({ loc }) => loc.slice(1).join(".")))].sort();
}
