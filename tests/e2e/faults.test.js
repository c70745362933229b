// What crashes look like from outside: which answer each request gets, that the next ones succeed, and that operators
// see what happened.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { House, is_repeatable, patience_ms } from "../chaos/house.js";
import { assert_error, eventually, password } from "./server.js";

/** Nothing happens by itself, so that an ordered fault strikes what the test sends. */
const quiet = { "panel.poll": "1h", "payments.poll": "1h" };

function with_house(settings, prepare = async () => {}) {
  const house = new House({ settings });
  before(async () => {
    await house.start();
    await prepare(house);
  });
  after(() => house.dispose());
  return house;
}

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
