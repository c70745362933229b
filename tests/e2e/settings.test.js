// Settings, subcommands, start and stop: what an operator sees.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import {
  Server, assert_error, binary, eventually, fresh_directory, password, plain_environment, processes_of, root, run, set,
  with_server,
} from "./server.js";

const bad_settings = 78, try_again = 75, bad_usage = 64; // sysexits.h

const fresh_key = () => randomBytes(32).toString("hex");

describe("settings", () => {
  const directory = fresh_directory();
  after(() => rmSync(directory, { recursive: true, force: true }));

  const file_with = (...lines) => {
    const file = join(directory, "settings.toml");
    writeFileSync(file, lines.join("\n") + "\n");
    return file;
  };
  const check_config = (argv = [], environment = {}) => run(["check-config", ...argv], { environment });
  const complaints = ({ code, out, err }) => {
    assert.equal(code, bad_settings, err);
    assert.equal(out, "");
    return err.trimEnd().split("\n");
  };

  it("every wrong key is named with its line", async () => {
    const file = file_with(
      'environment = "moon"',
      "[http]",
      "port = 99999",
      'adress = "1.2.3.4"',
      'idle_timeout = "5 parsecs"',
      "cors_origins = [1]",
      "[database]",
      'connections = "many"',
      "[nowhere]",
      "a = 1",
      "[security]",
      'keys = ["short"]',
    );
    const lines = complaints(await check_config(["--config", file]));
    const wrong = [
      [1, "environment"], [3, "http.port"], [4, "http.adress"], [5, "http.idle_timeout"], [6, "http.cors_origins"],
      [8, "database.connections"], [10, "nowhere.a"], [12, "security.keys"],
    ];
    assert.equal(lines.length, wrong.length, lines.join("\n"));
    for (const [line, key] of wrong) assert.ok(lines.some((each) => each.startsWith(`${file}:${line}: ${key}: `)), `${key}\n${lines.join("\n")}`);
    assert.ok(lines.find((each) => each.includes("http.adress")).includes("http.address"), "the likely name is told");
  });

  it("a file that is no TOML, or not there", async () => {
    const [line] = complaints(await check_config(["--config", file_with("[http", "port = 1")]));
    assert.match(line, /settings\.toml:1/);
    const missing = complaints(await check_config(["--config", join(directory, "nothing.toml"), "--set", "environment=development"]));
    assert.equal(missing.length, 1);
    assert.match(missing[0], /nothing\.toml: No such file/);
  });

  it("the environment is stronger than the file, --set is stronger than both", async () => {
    const file = ["--config", file_with('environment = "production"')];
    const development = { BACKSTAY_ENVIRONMENT: "development" };
    assert.match(complaints(await check_config(file))[0], /security\.keys: required in production/);
    assert.equal((await check_config(file, development)).code, 0);
    assert.equal((await check_config(file, { ENVIRONMENT: "development" })).code, 0);
    complaints(await check_config([...file, "--set", "environment=production"], development));
    assert.equal((await check_config([...file, "--set", "environment=development"], { ENVIRONMENT: "production" })).code, 0);
  });

  it("wrong values are named by where they stand", async () => {
    const environment = { BACKSTAY_HTTP_PORT: "x", BACKSTAY_NONSENSE: "1", DATABASE_URL: "garbage" };
    const lines = complaints(await check_config(["--set", "environment=development", "--set", "a.b=c", "--set", "junk", "--set", "gate.open_exchanges=0"], environment));
    for (const start of ["BACKSTAY_HTTP_PORT: http.port:", "BACKSTAY_NONSENSE:", "DATABASE_URL: database.url:", "--set a.b:", "--set:", "--set gate.open_exchanges:"])
      assert.equal(lines.filter((line) => line.startsWith(start)).length, 1, `${start}\n${lines.join("\n")}`);
    assert.equal(lines.length, 6);
  });

  it("a secret that is wrong is not repeated", async () => {
    const { err } = await check_config([], { DATABASE_URL: "hunter2-hunter2", BACKSTAY_SECURITY_KEYS: "hunter2" });
    assert.match(err, /database\.url/);
    assert.match(err, /security\.keys/);
    assert.doesNotMatch(err, /hunter2/);
  });

  it("production does not start without keys, nor with the sandbox", async () => {
    const here = set({ "data.directory": join(directory, "never"), "http.port": 0 });
    const keyless = await run(["serve", ...here]);
    assert.match(complaints(keyless)[0], /security\.keys: required in production/);
    const keys = ["--set", `security.keys=${fresh_key()}`];
    const sandboxed = complaints(await run(["serve", "--sandbox", ...here, ...keys, "--set", "environment=production"]));
    assert.match(sandboxed[0], /the sandbox never runs in production/);
    complaints(await run(["serve", "--sandbox", ...here, ...keys], { environment: { ENVIRONMENT: "production" } }));
    assert.ok(!existsSync(join(directory, "never")), "nothing was begun");
  });

  it("the reference in docs/ is what the binary prints", async () => {
    const { code, out } = await run(["config-reference"]);
    assert.equal(code, 0);
    assert.equal(readFileSync(join(root, "docs/configuration.md"), "utf8"), out);
  });

  it("version, help and what is no subcommand", async () => {
    assert.match((await run(["version"])).out, /^backstay \d+\.\d+\.\d+\n$/);
    const help = await run(["--help"]);
    assert.equal(help.code, 0);
    for (const name of ["serve", "sandbox", "migrate", "create-admin", "check-config", "config-reference", "openapi", "doctor", "version"])
      assert.match(help.out, new RegExp(`^  ${name} `, "m"));
    for (const argv of [[], ["dance"], ["serve", "--nonsense"]]) assert.notEqual((await run(argv)).code, 0, argv.join(" "));
  });

  it("a database that is not there is one clear line", async () => {
    const { code, err } = await run(["migrate", "--set", "environment=development"], { environment: { DATABASE_URL: "postgresql://127.0.0.1:1/nothing" } });
    assert.equal(code, try_again);
    assert.match(err, /^backstay: .*refused/);
  });
});

describe("the first administrator", () => {
  const directory = fresh_directory();
  const server = new Server({ directory });
  const settings = set({ environment: "development", "data.directory": server.data });
  const create_admin = (email, secret) => run(["create-admin", email, ...settings], { input: secret + "\n" });
  after(() => server.dispose());

  it("is created in a fresh private database, which is stopped again", async () => {
    const { code, out, err } = await create_admin("Root@Example.com", password);
    assert.equal(code, 0, err);
    assert.match(out, /Root@Example\.com/);
    assert.doesNotMatch(out + err, new RegExp(password));
    await eventually(() => assert.deepEqual(processes_of(directory), []));
  });

  it("only once, with an address and a password that will do", async () => {
    assert.match((await create_admin("root@example.com", password)).err, /already/);
    for (const [email, secret] of [["nonsense", password], ["a@example.com", "short"], ["a@example.com", "password1234"]]) {
      const { code, out, err } = await create_admin(email, secret);
      assert.equal(code, bad_usage, `${email}: ${out} ${err}`);
      assert.match(err, /^backstay: /);
    }
  });

  it("signs in to the server that starts there, and is a super_admin", async () => {
    await server.start();
    const { token } = await server.sign_in("root@example.com");
    assert.equal((await server.get("/api/v1/auth/me", token)).body.role, "super_admin");
    assert.equal(server.demo_admin, undefined, "the demo's one is for empty databases");
  });
});

describe("production", () => {
  const directory = fresh_directory();
  const keys = join(directory, "keys.txt");
  writeFileSync(keys, fresh_key() + "\n", { mode: 0o600 });
  const server = new Server({ directory, sandbox: false, settings: { environment: "production", "security.keys_file": keys, "limits.general": 3 } });
  after(() => server.dispose());

  it("serves without sandbox, demo or control port, and tells strangers little", async () => {
    await server.start();
    const { headers, body } = await server.get("/api/v1/plans");
    assert.deepEqual(body, []);
    assert.match(headers.get("strict-transport-security"), /max-age=\d+/);
    assert.equal(server.demo_admin, undefined);
    assert.deepEqual(Object.keys((await server.get("/health")).body).sort(), ["ok", "status"]);
    assert_error(await server.get("/metrics"), 401);
    assert.deepEqual(readdirSync(server.data).filter((name) => /control|sandbox/.test(name)), []);
    assert.ok(!processes_of(directory).some((line) => / sandbox /.test(line)));
  });

  it("limits requests, also from loopback, and says when to come back", async () => {
    const answers = [];
    for (let i = 0; i < 6; ++i) answers.push(await server.get("/api/v1/plans"));
    const refused = answers.filter((each) => each.status === 429);
    assert.ok(refused.length > 0);
    for (const each of refused) assert_error(each, 429, "RATE_LIMIT_EXCEEDED");
    const seconds = Number(refused[0].headers.get("retry-after"));
    assert.ok(seconds >= 1 && seconds <= 61, `Retry-After: ${seconds}`);
    for (let i = 0; i < 10; ++i) assert.equal((await server.get("/health/live")).status, 200, "health is never limited");
  });

  it("gives an administrator an account while it runs", async () => {
    const made = await run(["create-admin", "root@example.com", ...server.arguments], { input: password + "\n" });
    assert.equal(made.code, 0, made.err);
    assert.equal((await server.get("/health/ready")).status, 200, "the database was not taken away");
  });

  it("stops at SIGTERM", async () => {
    const { code, seconds } = await server.stop("SIGTERM");
    assert.equal(code, 0);
    assert.ok(seconds < 10);
    await eventually(() => assert.deepEqual(processes_of(directory), []), 2);
  });
});

describe("start and stop", () => {
  const server = new Server({ settings: { "log.requests": "all", "log.level": "debug" } });
  after(() => server.dispose());
  let ada;

  it("the data directory keeps its secrets to itself", async () => {
    await server.start();
    assert.match(server.demo_admin.email, /@/);
    ada = await server.sign_up("ada");
    for (const name of ["keys", "control.json"]) assert.equal(statSync(join(server.data, name)).mode & 0o077, 0, name);
    assert.equal(statSync(join(server.data, "postgres")).mode & 0o077, 0);
  });

  it("Ctrl-C finishes what is in flight, and ends server, sandbox and PostgreSQL within 10 s", async () => {
    assert.ok(processes_of(server.directory).length >= 3);
    await server.control("POST", "faults", { system: "cryptobot", latency_ms: 1500 });
    const plan = await server.plan("Basic Monthly");
    const buying = server.post("/api/v1/payments/create", { plan_id: plan.id, currency: "USD" }, ada.token);
    await eventually(async () => {
      const { text } = await server.get("/metrics");
      assert.match(text, /^backstay_http_open_exchanges 2$/m);
    });
    const { code, signal, seconds } = await server.stop("SIGINT");
    assert.deepEqual([code, signal], [0, null]);
    assert.ok(seconds < 10, `${seconds} s`);
    assert.equal((await buying).status, 201);
    await eventually(() => assert.deepEqual(processes_of(server.directory), []), 2);
    assert.ok(!existsSync(join(server.data, "control.json")), "the control port's token is gone");
  });

  it("a second start is quick, and the data is still there", async () => {
    const first_admin = server.demo_admin.password;
    const begun = Date.now();
    const lines = server.log.split("\n").length;
    await server.start();
    assert.ok(Date.now() - begun < 10_000);
    const since = server.log.split("\n").slice(lines - 1).join("\n");
    assert.doesNotMatch(since, /Demo admin/, "its password is shown only once");
    assert.doesNotMatch(since, /applied a migration/);
    assert.equal((await server.get("/api/v1/auth/me", ada.token)).status, 200, "nobody has to sign in again");
    assert.equal((await server.sign_in("ada")).id, ada.id);
    await server.sign_in(server.demo_admin.email, first_admin);
    assert.equal((await server.get("/api/v1/payments/history", ada.token)).body.total, 1);
    const { items } = await server.control("GET", `mail?to=${ada.email}`);
    assert.equal(items.length, 1, "the sandbox remembers too");
    await server.control("DELETE", "faults");
  });

  it("the log is JSON, names requests, and holds no secret", async () => {
    const email = "grace@example.com";
    const { token, refresh_token } = await server.sign_up("grace");
    const code = await server.mailed_code(email);
    const ticket = await server.ticket(token);
    const socket = await server.socket("/ws/notifications", token);
    await socket.close();
    await server.post("/api/v1/auth/login", { login: "grace", password: "Wrong-Horse-7-Battery" });
    await server.api("GET", "/api/v1/plans?secret=in-the-query", { headers: { "x-request-id": "find-me-again" } });
    await eventually(() => assert.ok(server.log_lines.some((line) => line.request_id === "find-me-again")));
    for (const line of server.log_lines) {
      assert.ok(Math.abs(Date.parse(line.time) - Date.now()) < 600_000, JSON.stringify(line));
      assert.ok(line.level && line.logger && line.message, JSON.stringify(line));
    }
    const found = server.log_lines.find((line) => line.request_id === "find-me-again");
    assert.deepEqual([found.method, found.path, found.status], ["GET", "/api/v1/plans", "200"]);
    const secrets = [password, "Wrong-Horse-7-Battery", token, refresh_token, ticket, "in-the-query", readFileSync(join(server.data, "keys"), "utf8").trim()];
    for (const secret of secrets) assert.ok(!server.log.includes(secret), `the log holds ${secret}`);
    assert.ok(!new RegExp(`\\b${code}\\b`).test(server.log_lines.map((line) => line.message).join("\n")));
  });

  it("a taken port is one clear line", async () => {
    const before = processes_of(server.directory).length;
    const { code, err } = await run(["serve", "--sandbox", ...server.arguments]);
    assert.equal(code, try_again, err);
    assert.match(err, /^backstay: cannot listen on 127\.0\.0\.1 port \d+/m);
    assert.equal((await server.get("/health/ready")).status, 200, "the one that has it serves on");
    await eventually(() => assert.equal(processes_of(server.directory).length, before));
  });

  it("the keyboard's Ctrl-C reaches the whole group, and still ends well", async () => {
    await server.stop();
    await server.start({ detached: true });
    process.kill(-server.process.pid, "SIGINT");
    process.kill(-server.process.pid, "SIGINT"); // people press it twice
    const { code, signal } = await server.ended;
    assert.deepEqual([code, signal], [0, null]);
    await eventually(() => assert.deepEqual(processes_of(server.directory), []), 10);
  });
});

describe("a sandbox that somebody started by hand", () => {
  const { server, check } = with_server();

  check("is used and left alone", async () => {
    await server.stop();
    const own = spawn(binary, ["sandbox", ...server.arguments], { env: plain_environment(), stdio: "ignore" });
    try {
      await eventually(() => server.control("GET", "health"));
      await server.start();
      await server.sign_up("ada");
      await server.stop();
      assert.equal((await server.control("GET", "health")).status, "ok");
    } finally {
      const ended = new Promise((done) => own.on("exit", (code) => done(code)));
      own.kill("SIGTERM");
      assert.equal(await ended, 0);
    }
  });

  check("whose port something else has taken, is one clear line", async () => {
    const squatter = createServer((_, answer) => answer.writeHead(404, { connection: "close" }).end());
    await new Promise((done) => squatter.listen(server.sandbox_port, "127.0.0.1", done));
    try {
      const { code, err } = await run(["serve", "--sandbox", ...server.arguments]);
      assert.equal(code, try_again);
      assert.match(err, /^backstay: .*sandbox/m);
    } finally {
      await new Promise((done) => squatter.close(done));
    }
    await eventually(() => assert.deepEqual(processes_of(server.directory), []));
  });
});
