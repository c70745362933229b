// YooKassa, Heleket and MulenPay: bought and paid at the fakes, settled by webhook and by the poller; forged calls.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, describe } from "node:test";

import { assert_error, eventually, run, with_server } from "./server.js";

const base = {
  "panel.poll": "1h",
  "payments.poll": "1h",
  "limits.payments": "10000",
  "limits.general": "10000",
  // A caller can say then where it comes from, as a proxy does.
  "http.trusted_proxies": "127.0.0.1",
};

const providers = {
  yookassa: { method: "yookassa_card", currency: "RUB", things: "payments" },
  heleket: { method: "heleket", currency: "USD", things: "invoices" },
  mulenpay: { method: "mulenpay", currency: "RUB", things: "payments" },
};

const key = "sandbox-payments";
const md5 = (text) => createHash("md5").update(text).digest("hex");
const sha1 = (text) => createHash("sha1").update(text).digest("hex");

/** A server, and what a buyer does with it. */
function shop(settings) {
  const { server, check } = with_server({ settings: { ...base, ...settings } });
  const house = { server, check };
  before(async () => {
    house.buyer = await server.sign_up("ada");
    house.plan = await server.plan("Premium Monthly");
  });
  house.buy = async (provider, more = {}) => {
    const { method, currency } = providers[provider];
    const body = { plan_id: house.plan.id, currency, payment_method: method, ...more };
    const made = await server.post("/api/v1/payments/create", body, house.buyer.token);
    assert.equal(made.status, 201, made.text);
    return made.body;
  };
  house.act = (provider, invoice, action, body) =>
    server.control("POST", `${provider}/${providers[provider].things}/${invoice.invoice_id}/${action}`, body);
  // The list of payments asks no provider: what it shows came by a webhook or the poller.
  house.state = async (invoice) => {
    const { body } = await server.get("/api/v1/payments/history?limit=100", house.buyer.token);
    return body.items.find(({ id }) => id === invoice.payment_id).status;
  };
  house.becomes = (invoice, wanted, seconds) =>
    eventually(async () => assert.equal(await house.state(invoice), wanted), seconds);
  house.call = (provider, body, headers = {}) =>
    server.api("POST", `/api/v1/webhooks/${provider}`, { body, headers: { "content-type": "application/json", ...headers } });
  house.check_ledger = async () => {
    const { code, out } = await run(["doctor", "ledger", "--set", "environment=development", ...server.arguments]);
    assert.equal(code, 0, out);
  };
  return house;
}

describe("webhooks settle", () => {
  const house = shop({});
  const { server, check } = house;

  check("the methods are offered", async () => {
    const { body } = await server.get("/api/v1/payments/methods", house.buyer.token);
    for (const id of ["yookassa_card", "yookassa_sbp", "heleket", "mulenpay"])
      assert.ok(body.some((each) => each.id === id), id);
  });

  for (const provider of Object.keys(providers)) {
    check(`${provider}: a paid payment is settled once, however often it is told of`, async () => {
      const invoice = await house.buy(provider);
      assert.ok(invoice.payment_url.startsWith(server.sandbox_url), invoice.payment_url);
      assert.equal((await fetch(invoice.payment_url)).status, 200);
      await server.control("POST", "faults", { system: provider, webhooks: "duplicate" });
      await house.act(provider, invoice, "pay");
      await house.becomes(invoice, "completed");
      await server.control("POST", "faults", { system: provider, webhooks: "deliver" });
    });

    check(`${provider}: a refused payment and one that ran out of time fail`, async () => {
      for (const action of ["refuse", "expire"]) {
        const invoice = await house.buy(provider);
        await house.act(provider, invoice, action);
        await house.becomes(invoice, "failed");
      }
    });

    check(`${provider}: a currency that it does not take is refused`, async () => {
      const body = { plan_id: house.plan.id, currency: "EUR", payment_method: providers[provider].method };
      assert_error(await server.post("/api/v1/payments/create", body, house.buyer.token), 422);
    });
  }

  check("the page's button pays, too", async () => {
    const invoice = await house.buy("yookassa", { payment_method: "yookassa_sbp" });
    const pressed = await fetch(invoice.payment_url + "/pay", { method: "POST", redirect: "manual" });
    assert.equal(pressed.status, 303);
    assert.ok(pressed.headers.get("location").endsWith(`payment=${invoice.payment_id}`), pressed.headers.get("location"));
    await house.becomes(invoice, "completed");
  });

  check("an operator gives a payment back, where the provider can", async () => {
    const admin = await server.sign_in_admin();
    const refund = async (provider) => {
      const invoice = await house.buy(provider);
      await house.act(provider, invoice, "pay");
      await house.becomes(invoice, "completed");
      const path = `/api/v1/admin/payments/${invoice.payment_id}/refund`;
      return server.post(path, { note: "asked for it" }, admin.token);
    };
    for (const provider of ["yookassa", "mulenpay"]) {
      const { status, text, body } = await refund(provider);
      assert.equal(status, 200, text);
      assert.equal(body.state, "refunded");
    }
    assert_error(await refund("heleket"), 400, "NOT_SUPPORTED");
  });

  check("yookassa: a stranger is refused, and nobody is believed", async () => {
    const invoice = await house.buy("yookassa");
    const object = { id: invoice.invoice_id, status: "succeeded", paid: true, metadata: { payment_id: invoice.payment_id },
                     amount: { value: invoice.amount.toFixed(2), currency: "RUB" } };
    const body = JSON.stringify({ type: "notification", event: "payment.succeeded", object });
    assert_error(await house.call("yookassa", body, { "x-forwarded-for": "198.51.100.7" }), 401);
    assert_error(await house.call("yookassa", body, { "x-forwarded-for": "198.51.100.7, 127.0.0.1" }), 401);
    assert_error(await house.call("yookassa", "{"), 400);
    // From the right address, but not true.
    assert.equal((await house.call("yookassa", body)).status, 200);
    const other = await house.buy("yookassa");
    await house.act("yookassa", other, "pay");
    await house.becomes(other, "completed"); // by then the first call was looked into
    assert.equal(await house.state(invoice), "pending");
    await house.act("yookassa", invoice, "pay");
    await house.becomes(invoice, "completed");
  });

  check("heleket: what was changed on its way is refused", async () => {
    const invoice = await house.buy("heleket");
    const sign = (text, by = key) => md5(Buffer.from(text).toString("base64") + by);
    const told = { type: "payment", uuid: invoice.invoice_id, order_id: invoice.payment_id,
                   amount: invoice.amount.toFixed(2), currency: "USD", status: "paid" };
    const text = JSON.stringify(told);
    const signed = (by) => JSON.stringify({ ...told, sign: sign(text, by) });
    for (const forged of [
      text,
      signed("another"),
      signed().replace('"paid"', '"paid_over"'),
      JSON.stringify({ amount: told.amount, ...told, sign: sign(text) }), // in another order
      JSON.stringify({ ...told, sign: sign(text).toUpperCase() }),
    ])
      assert_error(await house.call("heleket", forged), 401);
    assert_error(await house.call("heleket", signed().replace("{", '{"amount":"0.01",')), 400);
    assert.equal(await house.state(invoice), "pending");
    // Well signed, but not true: it is a hint, and the provider says otherwise.
    for (const again of [signed(), signed()]) assert.equal((await house.call("heleket", again)).status, 200);
    await house.act("heleket", invoice, "pay");
    await house.becomes(invoice, "completed");
  });

  check("mulenpay: what was changed on its way is refused", async () => {
    const invoice = await house.buy("mulenpay");
    const told = { id: Number(invoice.invoice_id), amount: invoice.amount.toFixed(2), currency: "RUB",
                   uuid: invoice.payment_id, payment_status: "success" };
    const sign = (by = key) => sha1(Object.values(told).join("") + by);
    const signed = JSON.stringify({ ...told, sign: sign() });
    for (const forged of [
      JSON.stringify(told),
      JSON.stringify({ ...told, sign: sign("another") }),
      signed.replace('"success"', '"cancel"'),
      JSON.stringify({ uuid: told.uuid, ...told, sign: sign() }),
    ])
      assert_error(await house.call("mulenpay", forged), 401);
    assert.equal(await house.state(invoice), "pending");
    assert.equal((await house.call("mulenpay", signed)).status, 200);
    await house.act("mulenpay", invoice, "pay");
    await house.becomes(invoice, "completed");
  });

  check("the books are in order", () => house.check_ledger());
});

describe("the poller settles where no webhook comes", () => {
  const house = shop({ "payments.poll": "300ms" });
  const { server, check } = house;

  check("whatever the provider", async () => {
    for (const provider of Object.keys(providers))
      await server.control("POST", "faults", { system: provider, webhooks: "drop" });
    const made = await Promise.all(Object.keys(providers).map(async (provider) => [provider, await house.buy(provider)]));
    for (const [provider, invoice] of made) await house.act(provider, invoice, "pay");
    for (const [, invoice] of made) await house.becomes(invoice, "completed", 60);
  });

  check("a create whose answer was lost leaves one payment, and a link to it", async () => {
    for (const [provider, { method, currency }] of Object.entries(providers)) {
      const body = { plan_id: house.plan.id, currency, payment_method: method };
      const headers = { "idempotency-key": `lost-${provider}` };
      const create = () => server.post("/api/v1/payments/create", body, house.buyer.token, headers);
      await server.control("POST", "faults", { system: provider, lose_answer_rate: 1 });
      assert_error(await create(), 504);
      await server.control("POST", "faults", { system: provider, lose_answer_rate: 0 });
      const made = await create();
      assert.equal(made.status, 201, made.text);
      assert.ok(made.body.payment_url, provider);
      const { items } = await server.control("GET", `${provider}/${providers[provider].things}`);
      const ours = items.filter((each) => JSON.stringify(each).includes(made.body.payment_id));
      assert.equal(ours.length, 1, provider);
      await house.act(provider, made.body, "pay");
      await house.becomes(made.body, "completed", 60);
    }
  });

  check("the books are in order", () => house.check_ledger());
});
