// Stripe and Lemon Squeezy: a buyer chooses them, pays at the fake, and is served by the webhook or by the poller.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { before, describe } from "node:test";

import { assert_error, eventually, run, with_server } from "./server.js";

const generous = { "limits.payments": "10000", "limits.general": "10000" };

/** What signs the webhooks of all fakes. */
const key = "sandbox-payments";
const mac = (text) => createHmac("sha256", key).update(text).digest("hex");

const providers = {
  stripe: {
    list: "stripe/sessions",
    page: "/stripe/pay/",
    forged: [400, "INVALID_SIGNATURE"],
    sign: (body, moment = Math.floor(Date.now() / 1000)) => ({
      "stripe-signature": `t=${moment},v1=${mac(`${moment}.${body}`)}`,
    }),
    paid: (invoice) => ({
      id: "evt_by_hand",
      type: "checkout.session.completed",
      created: 1,
      data: {
        object: {
          id: invoice.invoice_id,
          object: "checkout.session",
          mode: "payment",
          status: "complete",
          payment_status: "paid",
          amount_total: 999,
          currency: "usd",
          metadata: { payment: invoice.payment_id },
        },
      },
    }),
  },
  lemonsqueezy: {
    list: "lemonsqueezy/checkouts",
    page: "/lemonsqueezy/checkout/",
    forged: [401],
    sign: (body) => ({ "x-signature": mac(body) }),
    paid: (invoice) => ({
      meta: { event_name: "order_created", custom_data: { payment: invoice.payment_id } },
      data: {
        type: "orders",
        id: "77",
        attributes: {
          currency: "USD",
          total: 999,
          tax: 0,
          status: "paid",
          created_at: "2026-11-22T13:05:00Z",
        },
      },
    }),
  },
};

async function buy(server, who, name, headers) {
  const plan = await server.plan("Basic Monthly");
  const body = { plan_id: plan.id, currency: "USD", payment_method: name };
  const answer = await server.post("/api/v1/payments/create", body, who.token, headers);
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

const act = (server, name, invoice, action, how) =>
  server.control("POST", `${providers[name].list}/${invoice.invoice_id}/${action}`, how);

async function assert_books_balance(server) {
  const { code, out, err } = await run(["doctor", "ledger", "--set", "environment=development", ...server.arguments]);
  assert.equal(code, 0, out + err);
}

const history = async (server, who) => (await server.get("/api/v1/payments/history", who.token)).body.payments;

for (const [name, provider] of Object.entries(providers)) {
  describe(`${name}, by webhooks alone`, () => {
    const { server, check } = with_server({ settings: { ...generous, "payments.poll": "1h" } });
    let ada;

    before(async () => (ada = await server.sign_up("ada")));

    check("it is one of the methods", async () => {
      const { body } = await server.get("/api/v1/payments/methods", ada.token);
      const method = body.find(({ id }) => id === name);
      assert.deepEqual([method.type, method.enabled], ["card", true]);
    });

    check("what is paid is delivered", async () => {
      const invoice = await buy(server, ada, name);
      assert.ok(invoice.payment_url.startsWith(server.sandbox_url + provider.page), invoice.payment_url);
      const page = await (await fetch(invoice.payment_url)).text();
      assert.match(page, new RegExp(`Pay ${invoice.amount} usd`, "i"));
      const socket = await server.socket("/ws/notifications", ada.token);
      await act(server, name, invoice, "pay");
      await socket.next("notification_received"); // nobody asks for the status meanwhile: that would settle too
      await socket.close();
      const [entry] = await history(server, ada);
      assert.deepEqual([entry.id, entry.status, entry.provider], [invoice.payment_id, "completed", name]);
    });

    check("a repeated key is one payment at the provider", async () => {
      const count = async () => (await server.control("GET", provider.list)).items.length;
      const had = await count();
      const first = await buy(server, ada, name, { "idempotency-key": "twice" });
      const second = await buy(server, ada, name, { "idempotency-key": "twice" });
      assert.equal(second.payment_id, first.payment_id);
      assert.equal(await count(), had + 1);
    });

    check("a forged, tampered or unsigned webhook settles nothing", async () => {
      const invoice = await buy(server, ada, name);
      const body = JSON.stringify(provider.paid(invoice));
      const post = (text, headers) => server.post(`/api/v1/webhooks/${name}`, text, undefined, headers);
      const tampered = body.replace("999", "998");
      assert.notEqual(tampered, body);
      for (const [text, headers] of [[body, {}], [tampered, provider.sign(body)], [body + " ", provider.sign(body)]])
        assert_error(await post(text, headers), ...provider.forged);
      if (name === "stripe")
        for (const late of [-3600, 3600])
          assert_error(await post(body, provider.sign(body, Math.floor(Date.now() / 1000) + late)), 400, "INVALID_SIGNATURE");
      assert_error(await post("{", provider.sign("{")), 400);
      const [entry] = await history(server, ada);
      assert.deepEqual([entry.id, entry.status], [invoice.payment_id, "pending"]);
    });

    check("doubled and unknown webhooks are taken", async () => {
      await server.control("POST", "faults", { system: name, webhooks: "duplicate" });
      const invoice = await buy(server, ada, name);
      const socket = await server.socket("/ws/notifications", ada.token);
      await act(server, name, invoice, "pay");
      await socket.next("notification_received");
      await eventually(async () => assert.match((await server.get("/metrics")).text, /^backstay_outbox_waiting 0$/m));
      await server.control("DELETE", "faults");
      assert.deepEqual(socket.messages.filter((m) => m.type === "notification_received"), []);
      await socket.close();
      const body = JSON.stringify({
        ...provider.paid(invoice),
        type: "customer.created",
        meta: { event_name: "license_key_created" },
      });
      const answer = await server.post(`/api/v1/webhooks/${name}`, body, undefined, provider.sign(body));
      assert.equal(answer.status, 200, answer.text);
    });

    check("the books balance", () => assert_books_balance(server));
  });

  describe(`${name}, without any webhook`, () => {
    const { server, check } = with_server({ settings: { ...generous, "payments.poll": "500ms" } });
    let ada;

    before(async () => {
      ada = await server.sign_up("ada");
      await server.control("POST", "faults", { system: name, webhooks: "drop" });
    });

    check("the poller settles", async () => {
      const invoice = await buy(server, ada, name);
      const socket = await server.socket("/ws/notifications", ada.token);
      await act(server, name, invoice, "pay");
      await socket.next("notification_received");
      await socket.close();
      assert.equal((await history(server, ada))[0].status, "completed");
    });

    check("a lost create is resolved, and paid once", async () => {
      await server.control("POST", "faults", { system: name, lose_answer_rate: 1 });
      const plan = await server.plan("Basic Monthly");
      const lost = await server.post("/api/v1/payments/create", { plan_id: plan.id, currency: "USD", payment_method: name }, ada.token);
      assert.equal(lost.status, 504, lost.text);
      await server.control("POST", "faults", { system: name, lose_answer_rate: 0 });
      const [entry] = await eventually(async () => {
        const entries = await history(server, ada);
        assert.ok(entries[0].invoice_id, "the poller has found it, or made it again under the same key");
        return entries;
      }, 40);
      assert.equal(entry.status, "pending");
      await act(server, name, entry, "pay");
      await eventually(async () => assert.equal((await history(server, ada))[0].status, "completed"));
      const { items } = await server.control("GET", provider.list);
      assert.equal(items.length, 2);
    });

    check("one that expires delivers nothing", async () => {
      const invoice = await buy(server, ada, name);
      await act(server, name, invoice, "expire");
      await eventually(async () => {
        const answer = await server.get(`/api/v1/payments/${invoice.invoice_id}/status`, ada.token);
        assert.equal(answer.body.status, "expired");
      });
    });

    check("the books balance", () => assert_books_balance(server));
  });
}
