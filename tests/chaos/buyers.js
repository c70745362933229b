// Buyers who do not give up, and what must be true of their money, subscriptions and mails when all is over.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { eventually, password } from "../e2e/server.js";
import { is_repeatable, patience_ms, persist } from "./house.js";

const day = 24 * 3600;
const plan = { name: "Basic Monthly", seconds: 30 * day, cents: 499 };

let people = 0;

export class Buyers {
  people = [];
  unexpected = [];
  #stopping = false;

  constructor(house, count) {
    this.house = house;
    this.runs = Array.from({ length: count }, () => this.#live({ login: `buyer${++people}`, paid: [] }));
  }

  /** Everybody ends what he is about; nobody waits for the leases of those who died. */
  async stop() {
    this.#stopping = true;
    await this.house.end_leases();
    await Promise.all(this.runs);
    assert.deepEqual(this.unexpected, []);
  }

  get payments() {
    return this.people.flatMap((who) => who.paid);
  }

  async #live(who) {
    try {
      await this.#sign_up(who);
      this.people.push(who);
      while (!this.#stopping) await this.#buy(who);
    } catch (error) {
      this.unexpected.push(error.stack);
    }
  }

  async #sign_up(who) {
    const { house } = this;
    who.email = `${who.login}@example.com`;
    const { login, email } = who;
    const form = { login, email, password, tos_accepted: true };
    const registered = await persist(() => house.post("/api/v1/auth/register", form));
    assert.ok([201, 409].includes(registered.status), registered.text); // 409: an earlier try was heard
    const code = await house.mailed_code(email, 90);
    const verified = await persist(() => house.post("/api/v1/auth/verify-otp", { email, code }));
    if (verified.status !== 200) assert.equal(verified.body.error.code, "ALREADY_VERIFIED", verified.text);
    await this.#sign_in(who);
  }

  async #sign_in(who) {
    const { house } = this;
    const answer = await persist(() => house.post("/api/v1/auth/login", { login: who.login, password }));
    assert.equal(answer.status, 200, answer.text);
    who.token = answer.body.access_token;
    who.id = answer.body.user.id;
  }

  async #buy(who) {
    const { house } = this;
    const key = randomUUID();
    const payment = await persist(async () => {
      const answer = await house.create_payment(who, key, plan.name);
      if (answer.status !== 401) return answer;
      await this.#sign_in(who); // the clock was moved past the token's end
      return house.create_payment(who, key, plan.name);
    });
    assert.equal(payment.status, 201, payment.text);
    await house.pay(payment.body.invoice_id);
    who.paid.push(payment.body.invoice_id);
    await sleep(20);
  }

  /** Waits until the effects have come to rest, and audits the world. */
  async audit() {
    const { house } = this;
    await this.#come_to_rest();
    await this.#audit_money();
    for (const who of this.people) await this.#audit_buyer(who);
    await house.assert_ledger_clean();
  }

  async #come_to_rest() {
    const { house } = this;
    await house.end_leases();
    await eventually(async () => {
      const paid = house.paid.map((id) => `'${id}'`);
      const open = await house.sql(`SELECT id FROM payments WHERE external_id IN (${paid}) AND state <> 'paid'`);
      assert.deepEqual(open, [], "every paid payment is settled");
      assert.equal(await house.value("SELECT count(*) FROM outbox WHERE done_at IS NULL AND dead_at IS NULL"), "0");
    }, 60);
  }

  async #audit_money() {
    const { house } = this;
    const { items } = await house.control("GET", "cryptobot/invoices");
    const taken = items.filter((each) => each.status === "paid");
    const ids = (list) => list.map(String).sort();
    assert.deepEqual(ids(taken.map((each) => each.invoice_id)), ids(house.paid), "the sandbox took what they paid");
    const settled = await house.sql("SELECT external_id FROM payments WHERE state = 'paid'");
    assert.deepEqual(ids(settled.flat()), ids(house.paid), "each is settled, and nothing else");
    const cents = taken.reduce((sum, each) => sum + Math.round(100 * Number(each.amount)), 0);
    const earned = await house.value("SELECT balance FROM ledger_books WHERE kind = 'revenue' AND currency = 'USD'");
    assert.equal(Number(earned ?? 0), cents, "the ledger holds what the sandbox took");
  }

  async #audit_buyer(who) {
    const { house } = this;
    const payments = await house.sql(`SELECT state FROM payments WHERE account_id = '${who.id}' AND state = 'paid'`);
    assert.equal(payments.length, who.paid.length);
    const mails = (await house.control("GET", `mail?to=${who.email}`)).items;
    assert.equal(mails.length, 1, `${who.login} got one code, however often it was sent`);
    if (who.paid.length === 0) return;
    const [[number, seconds, expires]] = await house.sql(
      `SELECT number, extract(epoch FROM expires_at - started_at), extract(epoch FROM expires_at)
       FROM subscriptions JOIN accounts ON accounts.id = account_id WHERE account_id = '${who.id}'`,
    );
    assert.equal(Number(seconds), who.paid.length * plan.seconds, `${who.login} has the days that were paid`);
    const notices = await house.value(`SELECT count(*) FROM notifications WHERE account_id = '${who.id}'`);
    assert.equal(Number(notices), who.paid.length, "one notice a payment");
    const users = (await house.control("GET", "panel/users")).items.filter((each) => each.username === `bs_${number}`);
    assert.equal(users.length, 1, `the panel has one user bs_${number}`);
    assert.ok(Math.abs(Date.parse(users[0].expireAt) / 1000 - Number(expires)) <= 1, "and it ends when we say");
  }
}

/** Kills the server again and again, at random moments under the load of buyers, and audits what they are left with. */
export async function kill_server_under_load(house, { buyers, times }) {
  const sandbox = house.sandbox_process;
  const load = new Buyers(house, buyers);
  try {
    for (let i = 0; i < times; ++i) {
      await sleep(200 + 1000 * Math.random());
      await house.kill();
      await house.start();
      assert.equal(house.sandbox_process, sandbox, "the sandbox has survived");
      await house.end_leases();
    }
  } finally {
    await load.stop();
  }
  await load.audit();
  return load;
}

/**
 * Lets `strikes` hit while buyers buy and others read, sign in and create payments. Everybody is answered, in time and
 * honestly, and served again before half a minute is over.
 */
export async function strike_under_load(house, who, strikes) {
  const calls = {
    plans: () => house.get("/api/v1/plans"),
    history: () => house.get("/api/v1/payments/history", who.token),
    subscription: () => house.get("/api/v1/subscriptions/active", who.token),
    sign_in: () => house.post("/api/v1/auth/login", { login: who.login, password }),
    payment: () => house.create_payment(who),
  };
  const load = new Buyers(house, 2);
  const others = house.load(Object.values(calls));
  try {
    for (const strike of strikes) {
      await sleep(500 + 500 * Math.random());
      await strike();
      await eventually(async () => {
        for (const [name, call] of Object.entries(calls)) {
          const { status, text } = await call();
          assert.ok(status < 300, `${name}: ${status} ${text}`);
        }
      }, 30);
    }
  } finally {
    await others.stop();
    await load.stop();
  }
  others.answers.forEach(assert_honest);
  await load.audit();
  return others.answers;
}

function assert_honest({ status, text, error, headers, milliseconds }) {
  assert.ifError(error);
  assert.ok(status < 300 || is_repeatable({ status }), `${status} ${text}`);
  if (status === 503) assert.ok(headers.get("retry-after"), "503 says when to come back");
  assert.ok(milliseconds < patience_ms, `an answer after ${milliseconds} ms`);
}
