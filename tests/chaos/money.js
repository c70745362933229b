// Two servers on one database, buyers, operators and a fate that strikes them; and what must be true of everybody's
// money when all is over. What each of them decides follows from a seed: the same seed decides the same again.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { eventually, free_ports, password, phone, run } from "../e2e/server.js";
import { House, is_repeatable, persist } from "./house.js";

const hour = 3600;
const commission_percent = 25;

const settings = {
  "payments.poll": "200ms",
  "outbox.lease": "5s",
  "subscriptions.jobs": "500ms",
  "referrals.percent": commission_percent,
};

/** How one can pay, and where the fake is told what a buyer does. */
const ways = [
  { method: "crypto_bot", currency: "USD", things: "cryptobot/invoices" },
  { method: "heleket", currency: "USD", things: "heleket/invoices" },
  { method: "stripe", currency: "USD", things: "stripe/sessions" },
  { method: "telegram_stars", currency: "USD" },
  { method: "yookassa_card", currency: "RUB", things: "yookassa/payments" },
  { method: "yookassa_sbp", currency: "RUB", things: "yookassa/payments" },
];
const plans = ["Basic Monthly", "Premium Monthly"];
const systems = ["cryptobot", "heleket", "stripe", "stars", "yookassa", "panel", "tribute"];

/** The key of all fakes; see integrations/sandbox/companion.cpp. */
const fake_key = "sandbox-payments";

/** Decisions that follow from a seed. Whoever decides has his own, so that nobody's speed changes another's. */
class Dice {
  #thrown = 0;

  constructor(seed, name) {
    this.name = `${seed}/${name}`;
  }

  #throw() {
    return createHash("sha256").update(`${this.name}/${this.#thrown++}`).digest();
  }

  /** From 0 to 1. */
  next() {
    return this.#throw().readUInt32BE() / 2 ** 32;
  }

  chance(probability) {
    return this.next() < probability;
  }

  pick(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  /** One of the names, each as likely as its number is large. */
  weigh(weights) {
    let rest = this.next() * Object.values(weights).reduce((sum, each) => sum + each);
    return Object.keys(weights).find((name) => (rest -= weights[name]) < 0);
  }

  uuid() {
    const hex = this.#throw().toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }
}

/** A provider that is left alone for a while refuses for good: a buyer would choose another one. */
const is_undecided = (answer) => is_repeatable(answer) && answer.body?.error?.code !== "PROVIDER_UNAVAILABLE";

/** Somebody who asks one node, and the other when that one cannot tell. */
class Client {
  #turn = 0;

  constructor(town, name) {
    Object.assign(this, { town, name, dice: new Dice(town.seed, name) });
  }

  async ask(method, path, { body, headers, is_signed_in = true } = {}) {
    let turn = this.#turn++;
    return persist(async () => {
      const node = this.town.nodes[turn++ % 2];
      const answer = await node.api(method, path, { token: is_signed_in ? this.token : undefined, body, headers });
      if (answer.status !== 401 || !is_signed_in) return answer;
      await this.sign_in(); // the clock was moved past the token's end
      throw new Error("once more");
    }, is_undecided);
  }

  async rest(seconds) {
    await sleep(1000 * seconds);
  }
}

class Buyer extends Client {
  constructor(town, number) {
    super(town, `buyer${number}`);
    Object.assign(this, { number, email: `${this.name}@example.com`, device_id: this.dice.uuid() });
    this.is_in_telegram = number % 2 === 1;
    this.donor = 700_000_000 + number;
    this.plans = this.dice.pick([[plans[0]], [plans[1]], plans]);
    this.inviter = number > 0 && this.dice.chance(0.7) ? this.dice.pick(town.buyers) : undefined;
    this.code = new Promise((done) => (this.tell_code = done));
  }

  async live() {
    await this.#arrive();
    while (!this.town.is_closing) {
      await this[this.dice.weigh({ buy: 14, donate: 2, cancel: 1, look: 2 })]();
      await this.rest(0.05 + 0.2 * this.dice.next());
    }
  }

  async #arrive() {
    this.referral_code = await this.inviter?.code;
    if (!this.is_in_telegram) await this.#register();
    await this.sign_in();
    const { status, body, text } = await this.ask("GET", "/api/v1/referral/code");
    assert.equal(status, 200, text);
    this.tell_code(body.code);
  }

  async #register() {
    const device = { ...phone, device_id: this.device_id };
    const body = { email: this.email, password, device, referral_code: this.referral_code };
    const { status, text } = await this.ask("POST", "/api/v1/mobile/auth/register", { body, is_signed_in: false });
    assert.ok([201, 409].includes(status), text); // 409: an earlier try was heard
  }

  async sign_in() {
    const { status, body, text } = await (this.is_in_telegram ? this.#sign_in_by_telegram() : this.#sign_in_by_password());
    assert.equal(status, 200, text);
    Object.assign(this, { id: body.user.id, token: body.access_token });
  }

  #sign_in_by_password() {
    const body = { login_or_email: this.email, password };
    return this.ask("POST", "/api/v1/auth/login", { body, is_signed_in: false });
  }

  async #sign_in_by_telegram() {
    const { init_data } = await this.town.control("POST", "telegram/person", { id: this.donor, first_name: this.name });
    const body = { init_data, referral_code: this.referral_code };
    return this.ask("POST", "/api/v1/auth/telegram/miniapp", { body, is_signed_in: false });
  }

  async buy() {
    const way = this.dice.pick(ways);
    const body = { plan_id: this.dice.pick(this.plans), currency: way.currency, payment_method: way.method };
    const headers = { "idempotency-key": this.dice.uuid() };
    const manner = this.dice.weigh({ once: 6, twice: 3, without_patience: 1 });
    const fate = this.dice.weigh({ pay: 16, expire: 1, leave: 2 });
    const looks = this.dice.chance(0.3);
    const create = () => this.ask("POST", "/api/v1/payments/create", { body, headers });
    if (manner === "without_patience")
      return this.town.nodes[0].api("POST", "/api/v1/payments/create", { token: this.token, body, headers }).catch(() => {});
    const answers = await Promise.all(manner === "twice" ? [create(), create()] : [create()]);
    for (const { status, text } of answers) assert.ok([201, 502, 503].includes(status), text);
    const [invoice, again = invoice] = answers.filter(({ status }) => status === 201).map((answer) => answer.body);
    assert.equal(again?.payment_id, invoice?.payment_id, "one key, one payment");
    if (!invoice || fate === "leave") return;
    if (way.things) await this.town.try_control("POST", `${way.things}/${invoice.invoice_id}/${fate}`);
    else if (fate === "pay") await this.#pay_in_stars(invoice);
    if (looks) await this.ask("GET", `/api/v1/payments/${invoice.payment_id}/status`);
  }

  async #pay_in_stars({ payment_id }) {
    const { items } = await this.town.control("GET", `stars/invoices?payload=${payment_id}`);
    const { slug } = items[0];
    await this.town.try_control("POST", `stars/invoices/${encodeURIComponent(slug)}/pay`, { buyer: this.donor });
  }

  /** The one way to top up a wallet that needs no page of ours. */
  async donate() {
    const amount = 10_000 + Math.floor(this.dice.next() * 90_000);
    if (!this.is_in_telegram) return;
    await this.town.try_control("POST", "tribute/donations", { telegram_user_id: this.donor, amount, currency: "rub" });
  }

  async cancel() {
    const { status, text } = await this.ask("POST", "/api/v1/subscriptions/cancel", { body: { reason: "other" } });
    assert.ok([200, 400, 429].includes(status), text); // nothing to cancel, or too often
  }

  async look() {
    for (const path of ["payments/history", "subscriptions/active", "referral/stats"]) {
      const { status, text } = await this.ask("GET", `/api/v1/${path}`);
      assert.equal(status, 200, text);
    }
  }
}

/** Gives some of the money back: at the provider or, where that cannot, by hand. */
class Operator extends Client {
  constructor(town) {
    super(town, "operator");
  }

  async sign_in() {
    const { email, password } = this.town.nodes[0].demo_admin;
    const form = { login_or_email: email, password };
    const answer = await this.ask("POST", "/api/v1/auth/login", { body: form, is_signed_in: false });
    assert.equal(answer.status, 200, answer.text);
    this.token = answer.body.access_token;
  }

  async live() {
    await this.sign_in();
    while (!this.town.is_closing) {
      await this.rest(0.3 + this.dice.next());
      const chosen = this.dice.next();
      const { status, body, text } = await this.ask("GET", "/api/v1/admin/payments?state=paid&limit=50");
      assert.equal(status, 200, text);
      if (body.items.length > 0) await this.#refund(body.items[Math.floor(chosen * body.items.length)].id);
    }
  }

  async #refund(id) {
    const refund = (at_provider) =>
      this.ask("POST", `/api/v1/admin/payments/${id}/refund`, { body: { at_provider, note: "asked for it" } });
    const { status, body, text } = await refund(true);
    if (body?.error?.code !== "NOT_SUPPORTED") return assert.ok([200, 502, 503].includes(status), text);
    this.town.given_by_hand.add(id);
    const done = await refund(false);
    assert.equal(done.status, 200, done.text);
  }
}

/** What happens to all of them. */
class Fate {
  constructor(town) {
    Object.assign(this, { town, dice: new Dice(town.seed, "fate"), kills: {} });
  }

  async strike() {
    const { dice, town } = this;
    await sleep(100 + 900 * dice.next());
    await this.#change_weather();
    const seconds = dice.pick([0, 0, 5, 70]);
    if (seconds > 0) await town.advance_clock(seconds);
    const victim = dice.weigh({ first: 6, second: 6, both: 2, backend: 3, postmaster: 3, all: 1 });
    const pause = dice.pick([0, 0, 300, 1500]);
    this.kills[victim] = 1 + (this.kills[victim] ?? 0);
    await this.#kill(victim, pause);
  }

  /** A donation that nobody is told of is nowhere to be asked for: those are late at worst. */
  #change_weather() {
    const { dice } = this;
    const system = dice.pick(systems);
    return this.town.control("POST", "faults", {
      system,
      latency_ms: dice.pick([0, 0, 50, 500, 3500]),
      error_rate: dice.pick([0, 0, 0.1, 0.5]),
      lose_answer_rate: dice.pick([0, 0, 0.1, 0.4]),
      webhooks: dice.pick(["deliver", system === "tribute" ? "deliver" : "drop", "duplicate", "reorder"]),
    });
  }

  async #kill(victim, pause) {
    const [first, second] = this.town.nodes;
    if (victim === "backend") return first.kill_backend();
    if (victim === "postmaster") return first.kill_postmaster();
    if (victim === "all") process.kill(await eventually(() => first.postmaster), "SIGKILL");
    const killed = { first: [first], second: [second] }[victim] ?? [first, second];
    await Promise.all(killed.map((node) => node.kill()));
    await sleep(pause);
    for (const node of killed) await this.#revive(node); // the first has the database with it
  }

  /** As a service is: one that ends because it has no database yet is started again. */
  async #revive(node) {
    await eventually(() => node.start(), 60);
  }
}

export class Town {
  nodes = [];
  buyers = [];
  /** Payments that an operator has given back without their provider. */
  given_by_hand = new Set();
  is_closing = false;

  constructor(seed) {
    this.seed = seed;
    this.fate = new Fate(this);
  }

  async open() {
    const first = new House({ settings });
    this.nodes.push(first);
    await first.start();
    const shared = { "database.url": first.database_url, "security.keys_file": join(first.data, "keys") };
    const second = new House({ settings: { ...settings, ...shared } });
    [second.port] = await free_ports(1);
    second.sandbox_port = first.sandbox_port;
    this.nodes.push(second);
    await second.start();
  }

  async close() {
    for (const node of this.nodes.reverse()) await node.dispose();
  }

  /** The sandbox ends with a server that does not get to its start, and begins again with the next one. */
  async control(...call) {
    const answer = await this.#control_once(...call);
    if (answer !== undefined) return answer;
    await sleep(100);
    return this.control(...call);
  }

  /** Nothing where the sandbox is away. */
  async #control_once(...call) {
    try {
      return await this.nodes[0].control(...call);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
  }

  /** Done at most once; the fake may say that it is too late for that. */
  async try_control(...call) {
    try {
      return await this.#control_once(...call);
    } catch (error) {
      assert.match(error.message, /: 409 /);
    }
  }

  /** The sandbox tells its own server of its clock; the other one is told here, unless it is down. */
  async advance_clock(seconds) {
    const { offset_seconds, server_told } = await this.control("POST", "clock", { advance_seconds: seconds });
    try {
      const { url, token } = JSON.parse(readFileSync(join(this.nodes[1].data, "control.json"), "utf8"));
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const told = await fetch(`${url}/control/clock`, { method: "POST", headers, body: JSON.stringify({ offset_seconds }) });
      return server_told && told.ok;
    } catch {
      return false; // it asks when it starts
    }
  }

  /** Everybody does what he does while fate strikes, so many times; then all come to the end of what they are at. */
  async live({ buyers, kills }) {
    for (let i = 0; i < buyers; ++i) this.buyers.push(new Buyer(this, i));
    const wrong = [];
    const lives = [...this.buyers, new Operator(this)].map((who) =>
      who.live().catch((error) => wrong.push(`${who.name}: ${error.stack}`)),
    );
    try {
      for (let i = 0; i < kills && wrong.length === 0; ++i) await this.fate.strike();
    } finally {
      this.is_closing = true;
      await this.control("DELETE", "faults");
      await this.advance_clock(70);
      await Promise.all(lives);
    }
    assert.deepEqual(wrong, []);
  }

  async rows(statement) {
    const found = await this.nodes[0].sql(`SELECT row_to_json(x) FROM (${statement}) x`);
    return found.map(([text]) => JSON.parse(text));
  }

  // ---- When all is over

  async audit() {
    await this.#come_to_rest();
    const payments = await this.rows("SELECT * FROM payments");
    const money = new Money(this, payments);
    await money.audit_charges();
    await money.audit_donations();
    await money.audit_wallets();
    await money.audit_entitlements();
    await this.#audit_panel();
    await this.#ask_doctor();
    await this.#let_time_pass();
    await this.#ask_doctor();
    return payments;
  }

  /** Time goes on until `check` no longer throws. */
  async #until(check) {
    await eventually(async () => {
      assert.ok(await this.advance_clock(30), "both hear of it");
      await check();
      await sleep(300);
      await check();
    }, 120);
  }

  async #come_to_rest() {
    await this.#until(async () => {
      const paid = (await this.charges()).filter((each) => each.is_paid).map((each) => `'${each.payment}'`);
      const open = `SELECT id, state, refund_at FROM payments WHERE refund_at IS NOT NULL OR state IN ('created', 'unknown')
                    OR id IN (${["NULL", ...paid]}) AND state NOT IN ('paid', 'refunded')`;
      assert.deepEqual(await this.rows(open), [], "payments are open");
      const waiting = "SELECT kind, due_at, attempts, cause FROM outbox WHERE done_at IS NULL";
      assert.deepEqual(await this.rows(waiting), [], "the outbox is not empty");
    });
  }

  /** What nobody pays is over some day, and nobody asks for it any more. */
  async #let_time_pass() {
    await this.advance_clock(25 * hour);
    await this.advance_clock(73 * hour);
    await this.#until(async () => {
      const open = `SELECT id, provider, state, due_at, review FROM payments
                    WHERE due_at IS NOT NULL OR review <> '' OR state NOT IN ('paid', 'refunded', 'expired', 'failed')`;
      assert.deepEqual(await this.rows(open), [], "payments are stuck");
    });
  }

  async #ask_doctor() {
    for (const what of ["ledger", "subscriptions"]) {
      const { code, out, err } = await run(["doctor", what, ...this.nodes[0].arguments, "--set", "environment=development"]);
      assert.equal(code, 0, out + err);
    }
  }

  /** The panel takes no end in the past: who has nothing left is disabled there, or was never made. */
  async #audit_panel() {
    const rows = await this.rows(
      `SELECT 'bs_' || number AS username, extract(epoch FROM date_trunc('second', expires_at))::bigint AS expires,
         coalesce(traffic_limit_bytes, 0) AS traffic, max_devices AS devices
       FROM subscriptions JOIN accounts ON accounts.id = account_id`,
    );
    const { items } = await this.control("GET", "panel/users");
    const now = Date.parse((await this.control("GET", "clock")).now) / 1000;
    const by_name = (a, b) => (a.username < b.username ? -1 : 1);
    const seen = items.filter(({ status }) => status === "ACTIVE").map((user) => ({
      username: user.username,
      expires: Math.floor(Date.parse(user.expireAt) / 1000),
      traffic: user.trafficLimitBytes,
      devices: user.hwidDeviceLimit,
    }));
    const running = (each) => each.expires > now;
    const wanted = rows.filter(running);
    assert.deepEqual(seen.filter(running).sort(by_name), wanted.sort(by_name), "the panel's users are our subscriptions");
    const known = new Set(rows.map(({ username }) => username));
    for (const { username } of items) assert.ok(known.has(username), `${username} has a subscription`);
  }

  /** What the fakes know of each charge: {payment: our id, is_paid, is_refunded, price}; no price: in stars. */
  async charges() {
    const items = async (path) => (await this.control("GET", path)).items;
    const minor = (decimal) => Math.round(100 * Number(decimal));
    return [
      ...(await items("cryptobot/invoices")).map((each) => ({
        payment: each.payload,
        is_paid: each.status === "paid",
        is_refunded: false,
        price: { amount: minor(each.amount), currency: each.fiat ?? each.asset },
      })),
      ...(await items("heleket/invoices")).map((each) => ({
        payment: each.order_id,
        is_paid: each.status === "paid",
        is_refunded: false,
        price: { amount: minor(each.amount), currency: each.currency },
      })),
      ...(await items("yookassa/payments")).map((each) => ({
        payment: each.metadata.payment_id,
        is_paid: each.paid,
        is_refunded: minor(each.refunded_amount?.value ?? 0) > 0,
        price: { amount: minor(each.amount.value), currency: each.amount.currency },
      })),
      ...(await Promise.all((await items("stripe/sessions")).map((each) => this.#stripe_charge(each)))),
      ...this.#star_charges(await items("stars/transactions")),
    ];
  }

  async #stripe_charge(session) {
    const is_paid = session.payment_status === "paid";
    const path = `/stripe/v1/payment_intents/${session.payment_intent}?expand[0]=latest_charge`;
    const headers = { authorization: `Bearer ${fake_key}` };
    const intent = is_paid ? await (await fetch(this.nodes[0].sandbox_url + path, { headers })).json() : undefined;
    return {
      payment: session.metadata.payment,
      is_paid,
      is_refunded: intent?.latest_charge.refunded ?? false,
      price: { amount: session.amount_total, currency: session.currency.toUpperCase() },
    };
  }

  #star_charges(transactions) {
    const refunded = new Set(transactions.filter((each) => each.receiver).map((each) => each.id));
    const paid = transactions.filter((each) => each.source);
    return paid.map(({ id, source }) => ({
      payment: source.invoice_payload.split(":")[0],
      is_paid: true,
      is_refunded: refunded.has(id),
    }));
  }
}

/** The payments of a town, held against what the fakes took and what buyers have of it. */
class Money {
  constructor(town, payments) {
    Object.assign(this, { town, payments });
    this.standing = payments.filter(({ state }) => state === "paid");
  }

  /** What was paid at a fake is credited once, what was given back is taken back once, and nothing else is either. */
  async audit_charges() {
    const charges = (await this.town.charges()).filter(({ is_paid }) => is_paid);
    const bookings = await this.#bookings();
    const rows = new Map(this.payments.map((row) => [row.id, row]));
    const ids = charges.map(({ payment }) => payment).sort();
    assert.deepEqual(ids, [...new Set(ids)], "no payment was charged twice");
    for (const { payment, is_refunded, price } of charges) {
      const row = rows.get(payment);
      assert.ok(row, `the payment ${payment} of a paid charge is there`);
      if (price) assert.deepEqual({ amount: row.amount, currency: row.currency }, price);
      const wanted = is_refunded || this.town.given_by_hand.has(payment) ? "refunded" : "paid";
      assert.equal(row.state, wanted, `${row.provider} ${payment}`);
    }
    const settled = this.payments.filter(({ provider, settled_at }) => provider !== "tribute" && settled_at);
    for (const { id } of settled) assert.ok(ids.includes(id), `${id} was paid`);
    for (const row of this.payments) {
      const booked = bookings.filter(({ payment }) => payment === row.id).map(({ payment, ...rest }) => rest);
      const { account_id: owner, currency, amount } = row;
      const came = { cause: "payment", kind: "wallet", owner, currency, amount };
      const went = { cause: "refund", kind: "wallet", owner, currency, amount: -amount };
      assert.deepEqual(booked, row.settled_at ? [came, ...(row.state === "refunded" ? [went] : [])] : [], row.id);
      assert.equal(row.review, "", row.id);
    }
  }

  #bookings() {
    return this.town.rows(
      `SELECT cause_id AS payment, cause_kind AS cause, kind, owner, currency, amount
       FROM ledger_transfers t JOIN ledger_entries ON transfer_id = t.id JOIN ledger_books b ON b.id = book_id
       WHERE cause_kind IN ('payment', 'refund') AND kind <> 'provider' ORDER BY t.id, b.id`,
    );
  }

  async audit_donations() {
    const { items } = await this.town.control("GET", "tribute/donations");
    const amounts = (list) => list.map(({ amount }) => amount).sort((a, b) => a - b);
    for (const { donor, id, name } of this.town.buyers) {
      const given = items.filter((each) => each.telegram_user_id === donor);
      const taken = this.payments.filter(({ provider, account_id }) => provider === "tribute" && account_id === id);
      assert.deepEqual(amounts(taken), amounts(given), `each donation of ${name} is credited once`);
    }
  }

  /** Who buys spends what came: in the wallets are donations, and commissions of what friends have paid. */
  async audit_wallets() {
    const wanted = new Map();
    const add = (owner, currency, amount) =>
      wanted.set(`${owner} ${currency}`, (wanted.get(`${owner} ${currency}`) ?? 0) + amount);
    const buyers = new Map(this.town.buyers.map((who) => [who.id, who]));
    for (const { account_id, purpose, currency, amount } of this.standing) {
      const { inviter } = buyers.get(account_id);
      if (purpose === "top_up") add(account_id, currency, amount);
      if (inviter) add(inviter.id, currency, Math.floor((amount * commission_percent) / 100));
    }
    const books = await this.town.rows("SELECT owner, currency, balance FROM ledger_books WHERE kind = 'wallet'");
    const seen = books.filter(({ balance }) => balance !== 0).map((each) => [`${each.owner} ${each.currency}`, each.balance]);
    assert.deepEqual(seen.sort(), [...wanted].filter(([, balance]) => balance !== 0).sort(), "the wallets' balances");
  }

  /** Each payment that stands has brought its days, once; where no other plan came in between, all of them. */
  async audit_entitlements() {
    const periods = await this.town.rows(
      `SELECT account_id, cause, extract(epoch FROM ends_at - starts_at)::bigint / 86400.0 AS days
       FROM subscription_periods WHERE source = 'payment' AND taken_back_at IS NULL`,
    );
    const bought = this.standing.filter(({ purpose }) => purpose === "plan");
    const causes = [...new Set(periods.map(({ cause }) => cause))].sort();
    assert.deepEqual(causes, bought.map(({ id }) => id).sort(), "what is paid is what was granted");
    for (const { id, name, plans } of this.town.buyers.filter(({ plans }) => plans.length === 1)) {
      const paid = bought.filter(({ account_id }) => account_id === id);
      const granted = periods.filter(({ account_id }) => account_id === id);
      const days = (list, of) => list.map(of).sort((a, b) => a - b);
      const wanted = days(paid, ({ duration_days }) => duration_days);
      assert.deepEqual(days(granted, (each) => each.days), wanted, `${name} has the days of ${plans}`);
    }
  }
}

/** A town lives and is struck so many times; throws if anything of it is not as it must be. Tells what happened. */
export async function survive(seed, { buyers, kills }) {
  const town = new Town(seed);
  try {
    await town.open();
    await town.live({ buyers, kills });
    const payments = await town.audit();
    const states = {};
    for (const { state } of payments) states[state] = 1 + (states[state] ?? 0);
    return { kills: town.fate.kills, states };
  } finally {
    await town.close();
  }
}

/** The seed of CHAOS_SEED, or a new one. */
export const choose_seed = () => process.env.CHAOS_SEED || String(Date.now());
