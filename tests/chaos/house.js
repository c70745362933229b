// A server that a test does harm to, and looks behind.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Server, eventually, plain_environment, run } from "../e2e/server.js";

/** Where limits are not what a test is about. A sign-in that dies with the database costs its account a guess. */
const limits = [
  ...["general", "payments", "login_per_address", "mail_per_address", "refresh_per_session"],
  ...["guess_per_minute", "guess_per_hour"],
];
const unlimited = Object.fromEntries(limits.map((name) => [`limits.${name}`, 1e6]));

/** Everything happens soon, so that a test need not wait for it. */
export const brisk = { "payments.poll": "100ms", "outbox.lease": "5s" };

/** The answers that tell a client to repeat: nothing was done, or nobody knows. */
export const is_repeatable = ({ status }) => status === 503 || status === 504;

/** Every call is answered within this: the gateway's 5 s, and a busy machine. */
export const patience_ms = 6000;

/** What a client does: repeats what was not done or is unknown, also when nobody is there. */
export async function persist(call, is_to_repeat = is_repeatable) {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(50)) {
    try {
      const answer = await call();
      if (!is_to_repeat(answer) && answer.body?.error?.code !== "IDEMPOTENCY_KEY_IN_USE") return answer;
    } catch {
      // the server was killed
    }
  }
  throw new Error("a client lost patience");
}

/** The rows that psql prints, each a list of texts. */
async function psql(url, statement) {
  const argv = ["-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement, url];
  const env = plain_environment({ PGAPPNAME: "test" });
  const child = spawn("psql", argv, { env, stdio: ["ignore", "pipe", "pipe"] });
  let out = "", err = "";
  child.stdout.on("data", (d) => (out += d));
  child.stderr.on("data", (d) => (err += d));
  const code = await new Promise((done, failed) => child.on("error", failed).on("close", done));
  if (code !== 0) throw new Error(`psql: ${err}`);
  return out.split("\n").filter((line) => line !== "").map((line) => line.split("\t"));
}

export class House extends Server {
  constructor({ settings = {}, ...more } = {}) {
    super({ settings: { ...unlimited, ...settings }, ...more });
  }

  /**
   * On a connection of its own, so that a broken connection is this request's. Without a whole answer it throws; the
   * error's `began` says whether a part of it had come.
   */
  api(method, path, { token, body, headers = {} } = {}) {
    const text = body && JSON.stringify(body);
    const all = {
      ...(text ? { "content-type": "application/json", "content-length": Buffer.byteLength(text) } : {}),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...headers,
    };
    const begun = performance.now();
    return new Promise((done, failed) => {
      let began = false;
      const fail = (error) => failed(Object.assign(error, { began, milliseconds: performance.now() - begun }));
      const sent = request(this.url + path, { method, headers: all, agent: false }, (answer) => {
        began = true;
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("error", fail);
        answer.on("end", () => {
          const text = Buffer.concat(parts).toString();
          const is_json = answer.headers["content-type"]?.startsWith("application/json");
          done({
            status: answer.statusCode,
            headers: new Headers(Object.entries(answer.headers).flatMap(([name, values]) => [values].flat().map((value) => [name, value]))),
            text,
            body: is_json ? JSON.parse(text) : undefined,
            milliseconds: performance.now() - begun,
          });
        });
      });
      sent.setTimeout(2 * patience_ms, () => sent.destroy(new Error(`${method} ${path} hangs`)));
      sent.on("error", fail);
      sent.end(text);
    });
  }

  /** As `kill -9` does it; `start` goes on in the same place. */
  async kill() {
    this.process.kill("SIGKILL");
    await this.ended;
  }

  /** Repeats a call for as long as it is to be repeated, also over restarts. */
  async insist(call, seconds = 30) {
    return eventually(async () => {
      const answer = await call();
      assert.ok(!is_repeatable(answer), answer.text);
      return answer;
    }, seconds);
  }

  // ---- crashes, and what operators see of them

  crash(name, how = "exit") {
    return this.control("POST", `crash/${name}?how=${how}`);
  }

  async component(name) {
    const { body } = await this.get("/health");
    return body.components.find((each) => each.name === name);
  }

  /** Waits until the actor has died that often and lives again. */
  restarted(name, times) {
    return eventually(async () => {
      const seen = await this.component(name);
      assert.equal(seen.restarts, times, `${name} was not restarted ${times} times`);
      assert.equal(seen.condition, "up", `${name} is not up`);
      return seen;
    });
  }

  async metric(name_and_labels) {
    const { text } = await this.get("/metrics");
    const line = text.split("\n").find((each) => each.startsWith(`${name_and_labels} `));
    return line && Number(line.slice(name_and_labels.length));
  }

  /** The process of the fakes, which outlives the server. */
  get sandbox_process() {
    return Number(readFileSync(join(this.data, "sandbox.pid"), "utf8"));
  }

  // ---- the database behind it

  get #postmaster_file() {
    return readFileSync(join(this.data, "postgres/data/postmaster.pid"), "utf8").split("\n");
  }

  get postmaster() {
    return Number(this.#postmaster_file[0]);
  }

  /** Where its private cluster is found by others, or the database that it was given. */
  get database_url() {
    if (this.settings["database.url"]) return this.settings["database.url"];
    const socket = encodeURIComponent(this.#postmaster_file[4]);
    return `postgresql:///backstay?host=${socket}&port=5432&user=backstay`;
  }

  sql(statement, database = "backstay") {
    return psql(this.database_url.replace("///backstay?", `///${database}?`), statement);
  }

  async value(statement) {
    return (await this.sql(statement))[0]?.[0];
  }

  /** The processes that serve its connections. */
  async backends() {
    const rows = await this.sql(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'test'",
    );
    return rows.map(([pid]) => Number(pid));
  }

  /** PostgreSQL then ends all of them, and recovers. */
  async kill_backend() {
    const all = await eventually(async () => {
      const found = await this.backends(); // it may still recover from the last time
      assert.ok(found.length > 0, "nobody is connected");
      return found;
    });
    process.kill(all[0], "SIGKILL");
    await eventually(() => assert.ok(!all.some((pid) => existsSync(`/proc/${pid}`))));
  }

  async kill_postmaster() {
    const killed = await eventually(() => this.postmaster); // it may still start after the last time
    process.kill(killed, "SIGKILL");
    await eventually(() => assert.notEqual(this.postmaster, killed));
  }

  async assert_ledger_clean() {
    const doctor = await run(["doctor", "ledger", ...this.arguments, "--set", "environment=development"]);
    assert.equal(doctor.code, 0, doctor.out + doctor.err);
  }

  /** Moves the clock on, so that what waits for a lease or for its next try is due. */
  end_leases() {
    return this.control("POST", "clock", { advance_seconds: 70 });
  }

  // ---- buying

  create_payment(who, key = randomUUID(), plan = "Basic Monthly") {
    const body = { plan_id: plan, currency: "USD" };
    return this.post("/api/v1/payments/create", body, who.token, { "idempotency-key": key });
  }

  /** Invoices that buyers have paid at the provider. */
  paid = [];

  async pay(invoice) {
    await this.control("POST", `cryptobot/invoices/${invoice}/pay`);
    this.paid.push(invoice);
  }

  /** Reads the state that we keep; the question after one payment would ask the provider. */
  async history(who) {
    const answer = await this.get("/api/v1/payments/history?limit=100", who.token);
    assert.equal(answer.status, 200, answer.text);
    return answer.body.payments;
  }

  /** How long the buyer's subscription is. */
  async days_of(who) {
    const days = "extract(day FROM expires_at - started_at)";
    return Number(await this.value(`SELECT ${days} FROM subscriptions WHERE account_id = '${who.id}'`));
  }

  config(who) {
    return this.get(`/api/v1/subscriptions/config/${who.id}`, who.token);
  }

  /** A new account with a subscription that the panel knows. */
  async subscribe(login) {
    const who = await this.sign_up(login);
    const payment = await this.create_payment(who);
    assert.equal(payment.status, 201, payment.text);
    await this.pay(payment.body.invoice_id);
    await eventually(async () => assert.equal((await this.config(who)).status, 200));
    return who;
  }

  /** Calls again and again until `stop()`, one after the other; keeps every answer. */
  load(calls) {
    const answers = [];
    let stopping = false;
    const loops = calls.map(async (call) => {
      while (!stopping) {
        const begun = Date.now();
        try {
          answers.push({ begun, ...(await call()) });
        } catch (error) {
          answers.push({ begun, error, milliseconds: error.milliseconds });
        }
        await sleep(5);
      }
    });
    const stop = async () => {
      stopping = true;
      await Promise.all(loops);
      return answers;
    };
    return { answers, stop };
  }
}

/** For a `describe`: a house that lives as long as its tests, once `prepare` has brought in who lives there. */
export function with_house(settings, prepare = async () => {}) {
  const house = new House({ settings });
  before(async () => {
    await house.start();
    await prepare(house);
  });
  after(() => house.dispose());
  return house;
}
