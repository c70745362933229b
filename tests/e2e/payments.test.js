// How one can pay, what operators see of payments and decide about them, and a provider that is away.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { assert_as_agreed } from "./contract.js";
import { assert_error, broken_fields, eventually, with_server } from "./server.js";

const generous = { "payments.poll": "500ms", "limits.payments": "10000", "limits.general": "10000" };
const stranger = "00000000-0000-4000-8000-000000000000";

const create = (server, who, body = {}, headers) =>
  server.post("/api/v1/payments/create", { plan_id: "Basic Monthly", currency: "USD", ...body }, who.token, headers);
const pay = (server, invoice) => server.control("POST", `cryptobot/invoices/${invoice.invoice_id}/pay`);

async function becomes(server, who, invoice, wanted) {
  return eventually(async () => {
    const { body } = await server.get(`/api/v1/payments/${invoice.payment_id}/status`, who.token);
    assert.equal(body.status, wanted);
    return body;
  });
}

describe("paying by a method", () => {
  const { server, check } = with_server({ settings: generous });
  const agreed = (method, path, answer) => assert_as_agreed("mobile", method, path, answer).body;
  let ada, grace, invoice;

  check("the methods are listed", async () => {
    [ada, grace] = [await server.sign_up("ada"), await server.sign_up("grace")];
    const methods = agreed("GET", "/api/v1/payments/methods", await server.get("/api/v1/payments/methods", ada.token));
    const crypto = methods.find(({ id }) => id === "crypto_bot");
    assert.deepEqual([crypto.type, crypto.kind, crypto.enabled], ["crypto", "crypto", true]);
    assert_error(await server.get("/api/v1/payments/methods"), 401);
  });

  check("an invoice by the default method and by its name", async () => {
    invoice = agreed("POST", "/api/v1/payments/create", await create(server, ada));
    assert.equal(invoice.payment_method, "crypto_bot");
    assert.equal(invoice.fee, 0);
    const named = { plan_id: "Basic Monthly", currency: "USD", payment_method: "crypto_bot", user_uuid: ada.id };
    agreed("POST", "/api/v1/payments/crypto/invoice", await server.post("/api/v1/payments/crypto/invoice", named, ada.token));
    const id = invoice.invoice_id;
    agreed("GET", "/api/v1/payments/{id}/status", await server.get(`/api/v1/payments/${id}/status`, ada.token));
    agreed("GET", "/api/v1/payments/crypto/invoice/{id}", await server.get(`/api/v1/payments/crypto/invoice/${id}`, ada.token));
  });

  check("what a method does not take is named", async () => {
    const fields = async (body) => broken_fields(await create(server, ada, body));
    assert.deepEqual(await fields({ payment_method: "cash" }), ["payment_method"]);
    assert.deepEqual(await fields({ payment_method: 7 }), ["payment_method"]);
    assert.deepEqual(await fields({ save_payment_method: true }), ["save_payment_method"]);
    assert.deepEqual(await fields({ save_payment_method: "yes", currency: "usd" }), ["currency", "save_payment_method"]);
    assert_error(await create(server, ada, { user_uuid: grace.id }), 404);
  });

  check("history and billing tell of the same payments, to their owner only", async () => {
    await pay(server, invoice);
    await becomes(server, ada, invoice, "paid");
    const { payments } = agreed("GET", "/api/v1/payments/history", await server.get("/api/v1/payments/history", ada.token));
    const records = agreed("GET", "/api/v1/billing", await server.get("/api/v1/billing", ada.token));
    assert.deepEqual(records.map(({ uuid, status, amount }) => [uuid, status, amount]),
      payments.map(({ id, status, amount }) => [id, status, amount]));
    assert.ok(records.every(({ userUuid, paymentMethod }) => userUuid === ada.id && paymentMethod === "cryptobot"));
    assert.deepEqual((await server.get("/api/v1/billing", grace.token)).body, []);
    assert.equal((await server.get("/api/v1/billing?limit=1&offset=1", ada.token)).body[0].uuid, payments[1].id);
    assert.deepEqual(broken_fields(await server.get("/api/v1/billing?limit=0&offset=-1", ada.token)), ["limit", "offset"]);
    assert_error(await server.get("/api/v1/billing"), 401);
  });
});

describe("what operators decide", () => {
  const { server, check } = with_server({ settings: generous });
  const payments = "/api/v1/admin/payments";
  let ada, admin, paid, open;

  check("everybody's payments are found by whatever is known", async () => {
    [ada, admin] = [await server.sign_up("ada"), await server.sign_in_admin()];
    [paid, open] = [(await create(server, ada)).body, (await create(server, ada)).body];
    await pay(server, paid);
    await becomes(server, ada, paid, "paid");
    const ids = async (query) => {
      const { status, body, text } = await server.get(`${payments}?${query}`, admin.token);
      assert.equal(status, 200, text);
      assert.equal(body.total, body.items.length);
      return body.items.map(({ id }) => id);
    };
    assert.deepEqual(await ids(""), [open.payment_id, paid.payment_id]);
    assert.deepEqual(await ids(`state=paid&account=${ada.id}&provider=cryptobot&review=false`), [paid.payment_id]);
    for (const nothing of ["state=held", "provider=stripe", "review=true", `account=${stranger}`])
      assert.deepEqual(await ids(nothing), [], nothing);
    const broken = await server.get(`${payments}?state=lost&review=maybe&account=x&limit=0`, admin.token);
    assert.deepEqual(broken_fields(broken), ["account", "limit", "review", "state"]);
    const one = (await server.get(`${payments}/${paid.payment_id}`, admin.token)).body;
    assert.deepEqual([one.account, one.state, one.is_fulfilled, one.price, one.review, one.due_at],
      [ada.id, "paid", true, { amount: 4.99, currency: "USD" }, "", null]);
  });

  check("support reads, administrators write, others do neither", async () => {
    const promote = async (login, role) => {
      const { id } = await server.sign_up(login);
      await server.api("PUT", `/api/v1/admin/accounts/${id}/role`, { token: admin.token, body: { role } });
      return server.sign_in(login);
    };
    const operator = await promote("olga", "operator");
    const calls = [["GET", ""], ["GET", `/${paid.payment_id}`],
      ["POST", `/${paid.payment_id}/resolve`, { as: "dismiss", note: "who may?" }],
      ["POST", `/${paid.payment_id}/refund`, { note: "who may?" }]];
    for (const [method, path, body] of calls) {
      assert_error(await server.api(method, payments + path, { body }), 401);
      assert_error(await server.api(method, payments + path, { body, token: ada.token }), 403);
      const theirs = await server.api(method, payments + path, { body, token: operator.token });
      assert.equal(theirs.status, method === "GET" ? 200 : 403, `${method} ${path}`);
    }
  });

  const refund = (id, body = { note: "asked for it" }) => server.post(`${payments}/${id}/refund`, body, admin.token);
  const resolve = (id, body) => server.post(`${payments}/${id}/resolve`, body, admin.token);

  check("what cannot be decided says why", async () => {
    assert_error(await refund(stranger), 404);
    assert_error(await refund(open.payment_id), 400, "NOT_PAID");
    assert_error(await refund(paid.payment_id), 400, "NOT_SUPPORTED");
    assert.deepEqual(broken_fields(await refund(paid.payment_id, { at_provider: "no" })), ["at_provider", "note"]);
    assert_error(await resolve(stranger, { as: "credit", note: "whose?" }), 404);
    assert_error(await resolve(paid.payment_id, { as: "credit", note: "again" }), 400, "NOT_HELD");
    assert_error(await resolve(paid.payment_id, { as: "dismiss", note: "nothing" }), 400, "NOT_IN_REVIEW");
    assert.deepEqual(broken_fields(await resolve(paid.payment_id, { as: "ignore", account: "x" })), ["account", "as", "note"]);
    assert.equal((await server.get(`${payments}/${paid.payment_id}`, admin.token)).body.state, "paid");
  });

  check("given back by hand, days and money are taken back, once", async () => {
    assert.equal((await server.get("/api/v1/subscriptions/active", ada.token)).body.status, "active");
    for (let i = 0; i < 2; ++i) {
      const { status, text, body } = await refund(paid.payment_id, { at_provider: false, note: "sent it myself" });
      assert.equal(status, 200, text);
      assert.deepEqual([body.state, body.refunded], ["refunded", 4.99]);
    }
    const [entry] = (await server.get("/api/v1/admin/payments?state=refunded", admin.token)).body.items;
    assert.equal(entry.id, paid.payment_id);
    assert.notEqual((await server.get("/api/v1/subscriptions/active", ada.token)).body.status, "active");
    assert.equal((await server.get(`/api/v1/payments/history`, ada.token)).body.payments[1].status, "refunded");
    const trail = (await server.get("/api/v1/admin/audit?action=payment.refund", admin.token)).body.items;
    assert.deepEqual([trail[0].resource, trail[0].details.how, trail[0].details.note, trail[0].subject],
      [`payment:${paid.payment_id}`, "by hand", "sent it myself", ada.id]);
  });
});

describe("a provider that is away", () => {
  // The poller asks nobody here, so that every failure is this test's.
  const { server, check } = with_server({ settings: { ...generous, "payments.poll": "1h" } });
  const health = async () => (await server.get("/health")).body;
  const method = async (who) => (await server.get("/api/v1/payments/methods", who.token)).body.find(({ id }) => id === "crypto_bot");

  check("is left alone after five failures, told to everybody, and probed", async () => {
    const ada = await server.sign_up("ada");
    await server.control("POST", "faults", { system: "cryptobot", error_rate: 1 });
    for (let i = 0; i < 5; ++i) assert_error(await create(server, ada), 502);
    const refused = await create(server, ada);
    assert_error(refused, 503, "PROVIDER_UNAVAILABLE");
    const wait = Number(refused.headers.get("retry-after"));
    assert.ok(wait > 0 && wait <= 30, `Retry-After: ${wait}`);
    assert.equal((await method(ada)).enabled, false);
    const { status, components } = await health();
    assert.equal(status, "degraded");
    assert.equal(components.find(({ name }) => name === "cryptobot").condition, "degraded");
    assert.equal((await server.get("/api/v1/payments/history", ada.token)).body.total, 5, "no row for the sixth");

    await server.control("DELETE", "faults");
    assert_error(await create(server, ada), 503);
    await server.control("POST", "clock", { advance_seconds: 31 });
    await eventually(async () => assert.equal((await method(ada)).enabled, true));
    assert.equal((await create(server, ada)).status, 201);
    assert.equal((await health()).status, "healthy");
    await server.control("POST", "clock", { offset_seconds: 0 });
  });
});
