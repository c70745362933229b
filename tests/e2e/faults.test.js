// What crashes look like from outside: which answer each request gets, that the next ones succeed, and that operators
// see what happened.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { kill_server_under_load, strike_under_load } from "../chaos/buyers.js";
import { House, brisk, is_repeatable, patience_ms, with_house } from "../chaos/house.js";
import { assert_error, eventually, free_ports, password } from "./server.js";

/** Nothing happens by itself, so that an ordered fault strikes what the test sends. */
const quiet = { "panel.poll": "1h", "payments.poll": "1h" };

describe("when an actor dies", () => {
  let buyer;
  const house = with_house(quiet, async () => (buyer = await house.subscribe("ada")));

  let strangers = 0;
  const register = () => {
    const login = `stranger${++strangers}`;
    return house.post("/api/v1/auth/register", { login, email: `${login}@example.com`, password, tos_accepted: true });
  };

  /** By actor, a request whose message it handles, and the usual answer. */
  const probes = {
    database: [() => house.get("/health/ready"), 200],
    panel: [() => house.config(buyer), 200],
    cryptobot: [() => house.post("/api/v1/webhooks/cryptobot", { forged: true }), 401],
    hashing: [() => house.post("/api/v1/auth/login", { login: "ada", password }), 200],
    sessions: [() => house.post("/api/v1/ws/ticket", undefined, buyer.token), 200],
    accounts: [register, 201],
    identities: [() => house.api("DELETE", "/api/v1/oauth/github", { token: buyer.token }), 200],
    oauth: [() => house.get("/api/v1/oauth/github/login?redirect_uri=cybervpn%3A%2F%2Foauth%2Fcallback"), 200],
    idempotency: [() => house.create_payment(buyer), 201],
    subscriptions: [() => house.get("/api/v1/plans"), 200],
    payments: [() => house.get("/api/v1/payments/history", buyer.token), 200],
    monitoring: [() => house.get("/api/v1/servers", buyer.token), 200],
  };

  async function assert_restart_is_visible(name, times, cause) {
    assert.equal((await house.restarted(name, times)).last_cause, cause);
    const deaths = house.log_lines.filter((line) => line.logger === name && line.message === "died and is restarted");
    assert.deepEqual(deaths.map((line) => line.cause).at(-1), cause);
    assert.equal(deaths.length, times);
    assert.equal(await house.metric(`backstay_actor_restarts_total{actor="${name}"}`), times);
    assert.equal(await house.metric(`backstay_actor_up{actor="${name}"}`), 1);
  }

  async function assert_serves(name) {
    const [ask, usual] = probes[name];
    const answer = await ask();
    assert.equal(answer.status, usual, `${name}: ${answer.text}`);
  }

  it("each is restarted, and leaves nothing behind", async () => {
    const names = (await house.get("/health")).body.components.map((each) => each.name);
    const connections = (await house.backends()).length;
    for (const name of names) await house.crash(name);
    for (const name of names) await assert_restart_is_visible(name, 1, "drill: told to exit");
    for (const name of Object.keys(probes)) await assert_serves(name);
    assert.equal((await house.get("/health")).body.status, "healthy");
    await eventually(async () => assert.equal((await house.backends()).length, connections));
  });

  for (const [name, [ask]] of Object.entries(probes))
    it(`${name}: the message whose handler threw ends 500`, async () => {
      await house.crash(name, "fault");
      const answer = await ask();
      assert_error(answer, 500, "INTERNAL_ERROR");
      assert.doesNotMatch(answer.text, /drill/, "the cause is for the log alone");
      await assert_restart_is_visible(name, 2, "drill");
      await assert_serves(name);
    });

  for (const [name, [ask]] of Object.entries(probes))
    it(`${name}: messages that wait in its mailbox end 503`, async () => {
      await house.crash(name, "stall");
      const answers = await Promise.all(Array.from({ length: 5 }, () => ask()));
      const thrown = answers.filter(({ status }) => status === 500);
      assert.equal(thrown.length, 1, `${answers.map((a) => a.status)}`);
      for (const answer of answers.filter((each) => each !== thrown[0])) assert_error(answer, 503, "RESTARTING");
      await assert_restart_is_visible(name, 3, "drill");
      await assert_serves(name);
    });
});

describe("when connections, promises or patience end", () => {
  let buyer;
  const workers = 3;
  const few = { "database.connections": workers, "database.queue": 4 };
  const house = with_house({ ...quiet, ...few }, async () => (buyer = await house.subscribe("cleo")));

  const blocked = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name <> 'test'";
  const lock_plans = () => house.sql("BEGIN; LOCK TABLE plans; SELECT pg_sleep(1.5); COMMIT");

  it("a statement whose connection is lost ends 503", async () => {
    const blocking = lock_plans();
    const asked = eventually(async () => {
      const answer = await house.get("/api/v1/plans");
      assert.notEqual(answer.status, 200);
      return answer;
    });
    await eventually(async () => assert.ok(await house.value(blocked)));
    await house.sql(`SELECT pg_terminate_backend(pid) FROM (${blocked}) AS them`);
    assert_error(await asked, 503);
    await blocking;
    assert.equal((await house.get("/api/v1/plans")).status, 200);
  });

  it("connections that are lost while idle cost nobody an answer", async () => {
    const before = await house.backends();
    await house.sql(`SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[${before}]) AS pid`);
    await eventually(async () => {
      const answers = await Promise.all(Array.from({ length: workers }, () => house.get("/api/v1/plans")));
      for (const answer of answers) assert.equal(answer.status, 200, answer.text);
      const now = await house.backends();
      assert.equal(now.length, before.length);
      assert.ok(now.every((pid) => !before.includes(pid)));
    });
  });

  it("a connection that breaks during the commit leaves the outcome unknown: 504", async () => {
    // A commit that takes its time, as one does on a slow disk.
    await house.sql(`
      CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER nap AFTER INSERT ON payments DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION nap()`);
    const asked = house.create_payment(buyer, "key-of-cleo");
    const committing = await eventually(async () => {
      const commits = "SELECT pid FROM pg_stat_activity WHERE query ILIKE 'commit%' AND wait_event = 'PgSleep'";
      const pid = await house.value(commits);
      assert.ok(pid);
      return pid;
    });
    await house.sql(`SELECT pg_terminate_backend(${committing})`);
    assert_error(await asked, 504, "OUTCOME_UNKNOWN");
    await house.sql("DROP TRIGGER nap ON payments; DROP FUNCTION nap");
    const repeated = await house.insist(() => house.create_payment(buyer, "key-of-cleo"));
    assert.equal(repeated.status, 201, repeated.text);
    assert.equal((await house.history(buyer)).length, 2); // the one that opened the subscription, and this
  });

  it("a full queue refuses at once, and the rest waits", async () => {
    const blocking = lock_plans();
    const locks = "SELECT count(*) FROM pg_locks WHERE relation = 'plans'::regclass AND mode = 'AccessExclusiveLock'";
    await eventually(async () => assert.equal(await house.value(locks), "1"));
    const answers = await Promise.all(Array.from({ length: 20 }, () => house.get("/api/v1/plans")));
    await blocking;
    const refused = answers.filter(({ status }) => status !== 200);
    for (const answer of refused) {
      assert_error(answer, 503, "OVERLOADED");
      assert.ok(answer.milliseconds < 1000, `${answer.milliseconds} ms`);
    }
    // The server's own jobs take places too, and a worker that has just been lost is not replaced yet.
    const served = answers.length - refused.length, most = workers + few["database.queue"];
    assert.ok(served >= most - 2 && served <= most, `${served} of at most ${most}`);
  });

  describe("a request whose promise died", { concurrency: true }, () => {
    it("payments: it ends 504, and its repetition finds what was done", async () => {
      const open = () => house.value("SELECT count(*) FROM payments WHERE state = 'created'");
      await house.control("POST", "faults", { system: "cryptobot", latency_ms: 2500 });
      const asked = house.create_payment(buyer, "other-key-of-cleo");
      await eventually(async () => assert.equal(await open(), "1"));
      await house.crash("payments");
      const answer = await asked;
      assert_error(answer, 504, "TIMEOUT");
      assert.ok(answer.milliseconds < patience_ms, `${answer.milliseconds} ms`);
      await house.control("POST", "faults", { system: "cryptobot", latency_ms: 0 });
      const repeated = await house.insist(() => house.create_payment(buyer, "other-key-of-cleo"));
      assert.equal(repeated.status, 201, repeated.text);
      const { items } = await house.control("GET", `cryptobot/invoices?payload=${repeated.body.payment_id}`);
      assert.deepEqual(items.map((each) => String(each.invoice_id)), [repeated.body.invoice_id]);
    });

    it("subscriptions: it ends 504", async () => {
      const { handled } = await house.component("panel");
      await house.control("POST", "faults", { system: "panel", latency_ms: 2500 });
      const asked = house.config(buyer);
      await eventually(async () => assert.ok((await house.component("panel")).handled > handled));
      await house.crash("subscriptions");
      const answer = await asked;
      assert_error(answer, 504, "TIMEOUT");
      assert.ok(answer.milliseconds < patience_ms, `${answer.milliseconds} ms`);
      await house.control("POST", "faults", { system: "panel", latency_ms: 0 });
      assert.equal((await house.config(buyer)).status, 200);
    });
  });

  /** Until it no longer comes back. */
  async function crash_to_the_end(name, seen) {
    for (let deaths = (await house.component(name)).restarts + 1; deaths <= 4; ++deaths) {
      if (deaths === 4) await house.crash(name).catch(() => {}); // it may not live to answer
      else await house.crash(name);
      if (deaths < 4) await house.restarted(name, deaths);
    }
    return seen();
  }

  it("one that is not critical degrades at the fourth death in a minute, and the rest serves", async () => {
    await crash_to_the_end("monitoring", () =>
      eventually(async () => assert.equal((await house.component("monitoring")).condition, "degraded")),
    );
    const health = await house.get("/health");
    assert.deepEqual([health.status, health.body.status], [200, "degraded"]);
    assert_error(await house.get("/api/v1/servers", buyer.token), 503, "RESTARTING");
    assert.equal((await house.get("/api/v1/plans")).status, 200);
    assert.equal((await house.history(buyer)).length, 3);
    assert.equal(await house.metric('backstay_actor_up{actor="monitoring"}'), 0);
  });

  it("a critical one ends the process with 70", async () => {
    await crash_to_the_end("sessions", async () => {
      assert.deepEqual(await house.ended, { code: 70, signal: null });
    });
    const last = house.log_lines.at(-1);
    assert.equal(last.message, "gives up: a critical actor keeps dying");
    assert.deepEqual([last.actor, last.cause], ["sessions", "drill: told to exit"]);
    await house.start(); // as the service manager would
    assert.equal((await house.history(buyer)).length, 3);
  });
});

describe("when the server or PostgreSQL is killed", () => {
  let reader;
  const house = with_house(brisk, async () => (reader = await house.sign_up("emil")));

  it("between paid and settled, the server settles once after its restart", async () => {
    const buyer = await house.sign_up("dora");
    const sandbox = house.sandbox_process;
    await house.control("POST", "faults", { system: "cryptobot", webhooks: "drop" });
    const payment = await house.create_payment(buyer);
    await house.pay(payment.body.invoice_id);
    await house.kill();
    assert.equal(await house.value("SELECT state FROM payments"), "pending", "it was killed in time");
    await house.start();
    assert.equal(house.sandbox_process, sandbox);
    await house.end_leases(); // the poller's turn
    await eventually(async () => assert.equal((await house.history(buyer))[0].status, "completed"));
    await house.control("DELETE", "faults");
    assert.equal(await house.days_of(buyer), 30);
    await house.assert_ledger_clean();
  });

  it("the server under load: nothing is lost or doubled", async (t) => {
    const { payments } = await kill_server_under_load(house, { buyers: 3, times: 5 });
    t.diagnostic(`${payments.length} payments`);
    assert.ok(payments.length > 5);
  });

  it("PostgreSQL under load: requests end 2xx, 503 or 504 in time, and nothing is lost or doubled", async (t) => {
    const strikes = [() => house.kill_backend(), () => house.kill_postmaster()];
    const answers = await strike_under_load(house, reader, strikes);
    const failed = answers.filter(is_repeatable);
    t.diagnostic(`${failed.length} of ${answers.length} requests were to be repeated`);
    assert.ok(failed.length > 0, "the load felt it");
  });

  it("a stop finishes what is in flight, and ends with 0 within 10 s", async () => {
    const buyer = await house.sign_up("nina");
    await house.control("POST", "faults", { system: "cryptobot", latency_ms: 1500 });
    const slow = Array.from({ length: 5 }, () => house.create_payment(buyer));
    const rows = `SELECT count(*) FROM payments WHERE account_id = '${buyer.id}'`;
    await eventually(async () => assert.equal(await house.value(rows), "5"));
    const load = house.load(Array.from({ length: 4 }, () => () => house.get("/api/v1/plans")));
    await eventually(() => assert.ok(load.answers.length > 20));
    const told = Date.now();
    const end = await house.stop("SIGTERM");
    assert.deepEqual([end.code, end.signal], [0, null]);
    assert.ok(end.seconds < 10, `${end.seconds} s`);
    for (const answer of await Promise.all(slow)) assert.equal(answer.status, 201, answer.text);
    for (const { begun, status, text, error } of await load.stop()) {
      if (status === undefined) { // it stood at the door when that was closed
        assert.ok(begun >= told - 50, `${error} of a request begun ${told - begun} ms before the stop`);
        assert.ok(!error.began, `${error} in the middle of an answer`);
      } else assert.ok([200, 503].includes(status), text);
    }
  });
});

describe("two servers on one database", () => {
  const first = new House({ settings: brisk });
  let second;
  before(async () => {
    await first.start();
    const shared = { "database.url": first.database_url, "security.keys_file": join(first.data, "keys") };
    second = new House({ settings: { ...brisk, ...shared, "gate.open_exchanges": 4 } });
    [second.port] = await free_ports(1);
    second.sandbox_port = first.sandbox_port;
    await second.start();
  });
  after(async () => {
    await second?.dispose();
    await first.dispose();
  });

  const me = (house, who) => house.get("/api/v1/auth/me", who.token);
  /** What other nodes know after a second, they do not know from their cache. */
  const within_a_second = (check) => eventually(check, 1);

  async function assert_logout_is_heard(who) {
    for (const node of [first, second]) assert.equal((await me(node, who)).status, 200);
    assert.equal((await first.post("/api/v1/auth/logout", { refresh_token: who.refresh_token })).status, 200);
    await within_a_second(async () => assert_error(await me(second, who), 401));
  }

  it("a logout on one is known to the other within a second", async () => {
    await assert_logout_is_heard(await first.sign_up("fred"));
  });

  it("so is another role", async () => {
    const who = await first.sign_up("gina");
    for (const node of [first, second]) assert.equal((await me(node, who)).body.role, "viewer");
    // As the store of any node that changes a role tells it.
    await first.sql(`BEGIN; UPDATE accounts SET role = 'operator' WHERE id = '${who.id}';
                     SELECT pg_notify('sessions', 'account:${who.id}'); COMMIT`);
    for (const node of [first, second])
      await within_a_second(async () => assert.equal((await me(node, who)).body.role, "operator"));
  });

  it("a payment that both see settles once, and its events reach the sockets of both", async () => {
    const who = await first.sign_up("hugo");
    const sockets = await Promise.all([first, second].map((node) => node.socket("/ws/notifications", who.token)));
    await first.control("POST", "faults", { system: "cryptobot", webhooks: "duplicate" });
    const { body } = await second.create_payment(who);
    await first.pay(body.invoice_id);
    const path = `/api/v1/payments/${body.invoice_id}/status`;
    const looks = [first, second, first, second].map((node) => node.get(path, who.token));
    for (const look of await Promise.all(looks)) assert.equal(look.status, 200, look.text);
    for (const socket of sockets) {
      await socket.next("notification_received");
      await socket.next("subscription_updated");
      await socket.close();
    }
    assert.equal(await first.days_of(who), 30);
    assert.equal(await first.value(`SELECT count(*) FROM notifications WHERE account_id = '${who.id}'`), "1");
    await first.assert_ledger_clean();
  });

  it("payments whose webhooks are lost settle once with both polling", async () => {
    await first.control("POST", "faults", { system: "cryptobot", webhooks: "drop" });
    const who = await first.sign_up("ines");
    const created = await Promise.all([first, second, first, second].map((node) => node.create_payment(who)));
    for (const { body } of created) await first.pay(body.invoice_id);
    await eventually(async () => {
      for (const { status } of await second.history(who)) assert.equal(status, "completed");
    });
    assert.equal(await first.days_of(who), created.length * 30);
    await first.assert_ledger_clean();
    await first.control("DELETE", "faults");
  });

  it("a node that cannot listen reads through, and listens again when it can", async () => {
    const [jane, karl, lena] = [await first.sign_up("jane"), await first.sign_up("karl"), await first.sign_up("lena")];
    for (const who of [jane, karl]) assert.equal((await me(second, who)).status, 200);
    await first.sql("ALTER DATABASE backstay ALLOW_CONNECTIONS false", "postgres");
    await first.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'listen %'", "postgres");
    const is_loss = (line) => line.logger === "listener" && line.message === "lost the connection";
    for (const node of [first, second]) await eventually(() => assert.ok(node.log_lines.some(is_loss)));
    await assert_logout_is_heard(jane);
    await first.sql("ALTER DATABASE backstay ALLOW_CONNECTIONS true", "postgres");
    const listeners = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'listen %'";
    await eventually(async () => assert.equal(await first.value(listeners), "2"));
    await assert_logout_is_heard(karl);
    const socket = await second.socket("/ws/notifications", lena.token);
    const { body } = await first.create_payment(lena);
    await first.pay(body.invoice_id);
    await socket.next("notification_received");
    await socket.close();
  });

  it("the gate of one that is full refuses at once, and it serves what it has let in", async () => {
    const who = await first.subscribe("mona");
    await first.control("POST", "faults", { system: "panel", latency_ms: 1500 });
    const answers = await Promise.all(Array.from({ length: 12 }, () => second.config(who)));
    await first.control("DELETE", "faults");
    const refused = answers.filter(({ status }) => status !== 200);
    assert.equal(answers.length - refused.length, second.settings["gate.open_exchanges"]);
    for (const answer of refused) {
      assert_error(answer, 503, "OVERLOADED");
      assert.ok(answer.milliseconds < 1000, `${answer.milliseconds} ms`);
    }
    assert.equal((await second.config(who)).status, 200);
  });
});
