// Telegram Stars and Tribute: invoices in stars paid at the fake after Telegram's question, donations that come unasked.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { before, describe } from "node:test";

import { assert_error, eventually, run, with_server } from "./server.js";

const base = {
  "panel.poll": "1h",
  "payments.poll": "1h",
  "limits.payments": "10000",
  "limits.general": "10000",
};

const secret = "sandbox-payments"; // as the sandbox has it; see integrations/sandbox/companion.cpp

async function check_ledger(server) {
  const { code, out } = await run(["doctor", "ledger", "--set", "environment=development", ...server.arguments]);
  assert.equal(code, 0, out);
}

/** A server, and what a buyer with a Telegram account does with it. */
function shop(settings = {}) {
  const { server, check } = with_server({ settings: { ...base, ...settings } });
  const house = { server, check };
  before(async () => {
    house.buyer = await server.sign_up("ada");
    house.admin = await server.sign_in_admin();
    house.plan = await server.plan("Premium Monthly");
  });
  house.buy = async (currency = "USD") => {
    const body = { plan_id: house.plan.id, currency, payment_method: "telegram_stars" };
    const made = await server.post("/api/v1/payments/create", body, house.buyer.token);
    assert.equal(made.status, 201, made.text);
    return made.body;
  };
  house.link_of = async (invoice) =>
    (await server.control("GET", `stars/invoices?payload=${invoice.payment_id}`)).items.at(0);
  /** What became of each attempt to pay: {paid, reason}. */
  house.pay = async (invoice, how) => {
    const { slug } = await house.link_of(invoice);
    return (await server.control("POST", `stars/invoices/${encodeURIComponent(slug)}/pay`, how)).payments;
  };
  // The list of payments asks no provider: what it shows came by a webhook or the poller.
  house.state = async (invoice) => {
    const { body } = await server.get("/api/v1/payments/history?limit=100", house.buyer.token);
    return body.items.find(({ id }) => id === invoice.payment_id).status;
  };
  house.becomes = (invoice, wanted, seconds) =>
    eventually(async () => assert.equal(await house.state(invoice), wanted), seconds);
  house.in_review = async (provider) => {
    const { body } = await server.get(`/api/v1/admin/payments?review=true&provider=${provider}`, house.admin.token);
    return body.items;
  };
  house.decide = (payment, action, body) =>
    server.post(`/api/v1/admin/payments/${payment.id}/${action}`, { note: "seen", ...body }, house.admin.token);
  house.call = (provider, body, headers) =>
    server.api("POST", `/api/v1/webhooks/${provider}`, { body, headers: { "content-type": "application/json", ...headers } });
  return house;
}

describe("Telegram Stars", () => {
  const house = shop();
  const { server, check } = house;
  const faults = (webhooks) => server.control("POST", "faults", { system: "stars", webhooks });

  check("the method is offered", async () => {
    const { body } = await server.get("/api/v1/payments/methods", house.buyer.token);
    const offered = body.find(({ id }) => id === "telegram_stars");
    assert.equal(offered.kind, "stars");
  });

  check("an invoice is paid in stars, and the plan is active", async () => {
    const invoice = await house.buy();
    assert.ok(invoice.payment_url.startsWith(server.sandbox_url), invoice.payment_url);
    assert.equal(invoice.invoice_id, invoice.payment_id);
    const link = await house.link_of(invoice);
    assert.equal(link.amount, Math.ceil(invoice.amount / 0.02));
    assert.equal((await fetch(invoice.payment_url)).status, 200);
    assert.equal(await house.state(invoice), "pending");
    const [outcome] = await house.pay(invoice);
    assert.equal(outcome.paid, true, JSON.stringify(outcome));
    await house.becomes(invoice, "completed");
    const { body } = await server.get("/api/v1/subscriptions/active", house.buyer.token);
    assert.equal(body.status, "active");

    const [again] = await house.pay(invoice);
    assert.equal(again.paid, false);
    assert.match(again.reason, /cannot be paid any more/);
  });

  check("roubles become stars, too, by the button of the page", async () => {
    const invoice = await house.buy("RUB");
    assert.equal((await house.link_of(invoice)).amount, Math.ceil(invoice.amount));
    const pressed = await fetch(`${invoice.payment_url}/pay`, { method: "POST", redirect: "manual" });
    assert.equal(pressed.status, 303);
    await house.becomes(invoice, "completed");
  });

  check("a payment that is told of twice counts once", async () => {
    await faults("duplicate");
    const invoice = await house.buy();
    await house.pay(invoice);
    await house.becomes(invoice, "completed");
    await faults("deliver");
    assert.deepEqual(await house.in_review("stars"), []);
    await check_ledger(server);
  });

  /** A link paid twice before anybody here hears of it: one payment counts, the other waits for a person. */
  async function assert_surplus(invoice, outcomes) {
    assert.deepEqual(outcomes.map(({ paid }) => paid), [true, true]);
    await house.becomes(invoice, "completed");
    const [surplus] = await eventually(async () => {
      const found = await house.in_review("stars");
      assert.equal(found.length, 1);
      return found;
    });
    assert.equal(surplus.state, "held");
    assert.ok(surplus.external_id.startsWith(invoice.payment_id), surplus.external_id);
    const refunded = await house.decide(surplus, "refund");
    assert.equal(refunded.status, 200, refunded.text);
    assert.equal(refunded.body.state, "refunded");
    assert.equal(await house.state(invoice), "completed");
    await check_ledger(server);
  }

  check("of a link paid twice at once, one payment is delivered and the other is put before a person", async () => {
    const invoice = await house.buy();
    await assert_surplus(invoice, await house.pay(invoice, { times: 2 }));
  });

  check("so it is when no webhook told of them, and the buyer looks", async () => {
    await faults("drop");
    const invoice = await house.buy();
    const outcomes = await house.pay(invoice, { times: 2 });
    assert.equal(await house.state(invoice), "pending");
    const { body } = await server.get(`/api/v1/payments/${invoice.payment_id}/status`, house.buyer.token);
    assert.equal(body.status, "paid");
    assert.equal(body.payment_id, invoice.payment_id);
    await assert_surplus(invoice, outcomes);
    await faults("deliver");
  });

  check("another number of stars than the invoice asks for is refused before it is paid", async () => {
    const invoice = await house.buy();
    const [outcome] = await house.pay(invoice, { stars: 1 });
    assert.equal(outcome.paid, false);
    assert.match(outcome.reason, /cannot be paid any more/);
    assert.equal(await house.state(invoice), "pending");
  });

  check("an operator refunds a payment, and Telegram refunds one by itself", async () => {
    const first = await house.buy();
    await house.pay(first);
    await house.becomes(first, "completed");
    const refunded = await house.decide({ id: first.payment_id }, "refund");
    assert.equal(refunded.status, 200, refunded.text);
    await house.becomes(first, "refunded");
    const moved = async () => (await server.control("GET", "stars/transactions")).items;
    assert.ok((await moved()).at(-1).receiver, "the stars went back");

    const second = await house.buy();
    const [outcome] = await house.pay(second);
    await house.becomes(second, "completed");
    await server.control("POST", `stars/transactions/${outcome.telegram_payment_charge_id}/refund`);
    await house.becomes(second, "refunded");
    await check_ledger(server);
  });

  check("updates that are not Telegram's are refused, and true ones are no proof", async () => {
    const invoice = await house.buy();
    const { payload, amount } = await house.link_of(invoice);
    const body = JSON.stringify({
      update_id: 1_000_000,
      message: {
        message_id: 1, date: 1, chat: { id: 1, type: "private" },
        successful_payment: { currency: "XTR", total_amount: amount, invoice_payload: payload,
                              telegram_payment_charge_id: "stx-forged", provider_payment_charge_id: "" },
      },
    });
    const header = "x-telegram-bot-api-secret-token";
    assert_error(await house.call("telegram", body), 401);
    for (const wrong of ["", "sandbox-payment", `${secret}s`, "Sandbox-payments"])
      assert_error(await house.call("telegram", body, { [header]: wrong }), 401);
    for (const odd of ["{", "[]", "{}", '{"update_id":7,"message":7}'])
      assert_error(await house.call("telegram", odd, { [header]: secret }), 400);
    assert.equal((await house.call("telegram", '{"update_id":7,"my_chat_member":{}}', { [header]: secret })).status, 200);
    assert.equal((await house.call("telegram", body, { [header]: secret })).status, 200);
    const other = await house.buy();
    await house.pay(other);
    await house.becomes(other, "completed"); // by then the first update was looked into
    assert.equal(await house.state(invoice), "pending");
  });

  check("a currency without a rate is refused", async () => {
    const body = { plan_id: house.plan.id, currency: "EUR", payment_method: "telegram_stars" };
    assert_error(await server.post("/api/v1/payments/create", body, house.buyer.token), 422);
  });
});

describe("Telegram Stars without webhooks", () => {
  const house = shop({ "payments.poll": "300ms" });
  const { server, check } = house;

  check("the poller finds what was paid, as Telegram asked before", async () => {
    await server.control("POST", "faults", { system: "stars", webhooks: "drop" });
    const invoices = [await house.buy(), await house.buy("RUB")];
    for (const invoice of invoices) assert.equal((await house.pay(invoice))[0].paid, true);
    for (const invoice of invoices) await house.becomes(invoice, "completed", 30);
  });

  check("a lost create leaves nothing behind that could be paid", async () => {
    await server.control("POST", "faults", { system: "stars", lose_answer_rate: 1 });
    const body = { plan_id: house.plan.id, currency: "USD", payment_method: "telegram_stars" };
    const headers = { "idempotency-key": "lost-create" };
    const lost = await server.post("/api/v1/payments/create", body, house.buyer.token, headers);
    assert_error(lost, 504);
    await server.control("POST", "faults", { system: "stars", lose_answer_rate: 0 });
    const made = await server.post("/api/v1/payments/create", body, house.buyer.token, headers);
    assert.equal(made.status, 201, made.text);
    const { items } = await server.control("GET", `stars/invoices?payload=${made.body.payment_id}`);
    assert.equal(items.length, 2, "two links of one payment");
    assert.equal((await house.pay(made.body))[0].paid, true);
    await house.becomes(made.body, "completed", 30);
  });

  check("a server that is away when Telegram asks lets nobody pay", async () => {
    const invoice = await house.buy();
    const { slug } = await house.link_of(invoice);
    await server.control("POST", "faults", { system: "stars", error_rate: 1 }); // our answers do not get through
    const { payments } = await server.control("POST", `stars/invoices/${encodeURIComponent(slug)}/pay`);
    assert.deepEqual(payments, [{ paid: false, reason: "the bot did not answer" }]);
    await server.control("POST", "faults", { system: "stars", error_rate: 0 });
    assert.equal((await house.pay(invoice))[0].paid, true);
    await house.becomes(invoice, "completed", 90); // the circuit breaker lets the poller wait
    await check_ledger(server);
  });
});

describe("Tribute", () => {
  const house = shop();
  const { server, check } = house;
  const donor = 700_000_001;
  let grace;

  const donate = (donation) => server.control("POST", "tribute/donations", donation);
  const payments_of = async (who) =>
    (await server.get("/api/v1/payments/history?limit=100", who.token)).body.items.filter((p) => p.provider === "tribute");
  const sign = (body, key = secret) => ({ "trbt-signature": createHmac("sha256", key).update(body).digest("hex") });

  check("who signs in by Telegram donates, and it is credited", async () => {
    const { init_data } = await server.control("POST", "telegram/person", { id: donor, first_name: "Grace" });
    const { body } = await server.post("/api/v1/auth/telegram/miniapp", { init_data });
    grace = { id: body.user.id, token: body.access_token };
    await donate({ telegram_user_id: donor, amount: 50_000, currency: "rub" });
    const [payment] = await eventually(async () => {
      const found = await payments_of(grace);
      assert.equal(found.length, 1);
      assert.equal(found[0].status, "completed");
      return found;
    });
    assert.equal(payment.amount, 500);
    assert.equal(payment.currency, "RUB");
    await check_ledger(server);
  });

  check("a donation that is told of twice counts once, and each of a regular one counts", async () => {
    await server.control("POST", "faults", { system: "tribute", webhooks: "duplicate" });
    const { id } = await donate({ telegram_user_id: donor, amount: 20_000, currency: "eur", period: "monthly" });
    await eventually(async () => assert.equal((await payments_of(grace)).length, 2));
    await server.control("POST", `tribute/donations/${id}/repeat`);
    await eventually(async () => assert.equal((await payments_of(grace)).length, 3));
    await server.control("POST", `tribute/donations/${id}/cancel`);
    await server.control("POST", "faults", { system: "tribute", webhooks: "deliver" });
    await donate({ telegram_user_id: donor, amount: 100, currency: "rub" });
    await eventually(async () => assert.equal((await payments_of(grace)).length, 4));
    await check_ledger(server);
  });

  check("donations of strangers, of nobody and in other currencies wait for a person", async () => {
    await donate({ telegram_user_id: 700_000_002, amount: 30_000, currency: "rub" });
    await donate({ amount: 40_000, currency: "rub" });
    await donate({ telegram_user_id: donor, amount: 60_000, currency: "usd" });
    const held = await eventually(async () => {
      const found = await house.in_review("tribute");
      assert.equal(found.length, 3);
      return found;
    });
    for (const payment of held) {
      assert.equal(payment.state, "held");
      assert.equal(payment.account, null);
    }
    const dollars = held.find(({ paid }) => paid.currency === "USD");
    assert_error(await house.decide(dollars, "resolve", { as: "credit" }), 422);
    const credited = await house.decide(dollars, "resolve", { as: "credit", account: grace.id });
    assert.equal(credited.status, 200, credited.text);
    assert.equal(credited.body.state, "paid");
    assert.ok((await payments_of(grace)).some(({ currency, amount }) => currency === "USD" && amount === 600));
    await check_ledger(server);
  });

  check("a payment of a plan leads to the donation page, and is never mistaken for a donation", async () => {
    const body = { plan_id: house.plan.id, currency: "RUB", payment_method: "tribute" };
    const made = await server.post("/api/v1/payments/create", body, grace.token);
    assert.equal(made.status, 201, made.text);
    assert.equal((await fetch(made.body.payment_url)).status, 200);
    const pressed = await fetch(made.body.payment_url, {
      method: "POST", body: new URLSearchParams({ amount: made.body.amount, donor }),
    });
    assert.equal(pressed.status, 200);
    await eventually(async () => {
      const all = await payments_of(grace);
      assert.ok(all.some((p) => p.status === "completed" && p.amount === made.body.amount), JSON.stringify(all));
      assert.equal(all.find(({ id }) => id === made.body.payment_id).status, "pending");
    });
    const refused = await house.decide((await payments_of(grace)).find((p) => p.status === "completed"), "refund");
    assert_error(refused, 400, "NOT_SUPPORTED");
  });

  check("what was changed on its way, or signed by another, is refused", async () => {
    const known = (await payments_of(grace)).length;
    const event = (more = {}) => JSON.stringify({
      name: "new_donation", created_at: "2026-11-23T08:00:00.5Z", sent_at: "2026-11-23T08:00:01Z",
      payload: { donation_request_id: 123, amount: 1000, currency: "rub", telegram_user_id: donor }, ...more,
    });
    const body = event();
    assert_error(await house.call("tribute", body), 401);
    assert_error(await house.call("tribute", body, sign(body, "another")), 401);
    assert_error(await house.call("tribute", body.replace("1000", "9000"), sign(body)), 401);
    const { sent_at, ...rest } = JSON.parse(body);
    assert_error(await house.call("tribute", JSON.stringify({ sent_at, ...rest }), sign(body)), 401);
    for (const odd of ["{", "[]", '{"name":"new_donation"}'])
      assert_error(await house.call("tribute", odd, sign(odd)), 400);
    assert.equal((await payments_of(grace)).length, known);

    // Replayed, also with another moment of sending: once.
    for (const again of [body, body, event({ sent_at: "2026-11-23T09:00:00Z" })])
      assert.equal((await house.call("tribute", again, sign(again))).status, 200);
    await eventually(async () => assert.equal((await payments_of(grace)).length, known + 1));
    await check_ledger(server);
  });
});
