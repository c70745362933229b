// The main job: a phone signs up, pays and is connected, over real HTTP and WebSockets.

import assert from "node:assert/strict";
import { before, describe } from "node:test";

import { Server, assert_error, broken_fields, eventually, free_ports, password, phone, run, with_server } from "./server.js";
import { open_socket } from "./socket.js";

// Short times, so that what they decide is seen within a test; generous limits, so that they decide nothing here.
const quick = {
  "payments.poll": "500ms",
  "panel.poll": "300ms",
  "panel.cache": "0s",
  "limits.payments": "10000",
  "limits.general": "10000",
};

const check_ledger = (server) => run(["doctor", "ledger", "--set", "environment=development", ...server.arguments]);

async function buy(server, who, plan, { currency = "USD", headers } = {}) {
  return server.post("/api/v1/payments/create", { plan_id: plan.id, currency }, who.token, headers);
}

function pay(server, invoice) {
  return server.control("POST", `cryptobot/invoices/${invoice.invoice_id}/pay`);
}

async function status_becomes(server, who, invoice, wanted) {
  return eventually(async () => {
    const { body } = await server.get(`/api/v1/payments/${invoice.invoice_id}/status`, who.token);
    assert.equal(body.status, wanted);
    return body;
  });
}

const get_active = async (server, who) => (await server.get("/api/v1/subscriptions/active", who.token)).body;

const days_between = (a, b) => (Date.parse(b) - Date.parse(a)) / 86_400_000;

describe("signing up and in", () => {
  const { server, check } = with_server({ settings: quick });
  const refresh = (token, path = "/api/v1/auth/refresh") => server.post(path, { refresh_token: token });
  const me = (token) => server.get("/api/v1/auth/me", token);

  check("an account is inactive until its mailed code comes back", async () => {
    const email = "Ada@Example.com";
    const registered = await server.post("/api/v1/auth/register", { login: "ada", email, password, tos_accepted: true });
    assert.equal(registered.status, 201, registered.text);
    assert.equal(registered.body.is_active, false);
    assert.equal(registered.body.is_email_verified, false);
    assert.equal(registered.body.access_token, undefined);
    assert.equal(registered.body.user.role, "viewer");
    assert_error(await server.post("/api/v1/auth/login", { login: "ada", password }), 401);

    const code = await server.mailed_code(email);
    const wrong = await server.post("/api/v1/auth/verify-otp", { email, code: code === "000000" ? "111111" : "000000" });
    assert.equal(assert_error(wrong, 400, "OTP_INVALID").error.details.attempts_remaining, 4);
    const verified = await server.post("/api/v1/auth/verify-otp", { email, code });
    assert.equal(verified.status, 200, verified.text);
    assert.equal(verified.body.user.is_active, true);
    assert.equal(verified.body.user.is_email_verified, true);
    assert.equal(verified.body.expires_in, 900);
    assert.equal(verified.body.token_type, "bearer");
    assert.equal(verified.body.tokens.access_token, verified.body.access_token);
    assert.equal((await me(verified.body.access_token)).body.email, email);
    assert_error(await server.post("/api/v1/auth/verify-otp", { email, code }), 400);
  });

  check("login and e-mail are taken only once, in any case", async () => {
    const again = (login, email) => server.post("/api/v1/auth/register", { login, email, password, tos_accepted: true });
    assert_error(await again("ADA", "somebody@example.com"), 409);
    assert_error(await again("somebody", "aDa@example.COM"), 409);
  });

  check("every name of the identifier signs in, by login and by e-mail", async () => {
    for (const name of ["login_or_email", "email", "username", "login"])
      for (const identifier of ["ada", "ADA", "ada@example.com"]) {
        const answer = await server.post("/api/v1/auth/login", { [name]: identifier, password });
        assert.equal(answer.status, 200, `${name}=${identifier}: ${answer.text}`);
        assert.equal(answer.body.user.login, "ada");
        assert.equal((await me(answer.body.access_token)).status, 200);
      }
    const first = await server.post("/api/v1/auth/login", { login: "nobody", login_or_email: "ada", password });
    assert.equal(first.status, 200, "the first of the names counts");
  });

  check("an unknown user and a wrong password are the same 401", async () => {
    const unknown = assert_error(await server.post("/api/v1/auth/login", { login: "nobody", password }), 401);
    const wrong = assert_error(await server.post("/api/v1/auth/login", { login: "ada", password: "Wrong-Horse-7-Battery" }), 401);
    assert.equal(unknown.detail, wrong.detail);
    assert.deepEqual(unknown.error, wrong.error);
  });

  check("a refresh rotates; a retry gets the same pair; an old token ends the session", async () => {
    const session = await server.sign_in("ada");
    const one = await refresh(session.refresh_token);
    assert.equal(one.status, 200, one.text);
    assert.notEqual(one.body.refresh_token, session.refresh_token);
    const retry = await refresh(session.refresh_token);
    assert.equal(retry.status, 200, retry.text);
    assert.equal(retry.body.refresh_token, one.body.refresh_token);
    assert.equal((await me(retry.body.access_token)).status, 200);

    const two = await refresh(one.body.refresh_token);
    assert.equal(two.status, 200, two.text);
    assert.equal((await me(two.body.access_token)).status, 200);
    assert_error(await refresh(session.refresh_token), 401);
    assert_error(await me(two.body.access_token), 401);
    assert_error(await refresh(two.body.refresh_token), 401);
    assert.equal((await me((await server.sign_in("ada")).token)).status, 200, "other sessions live on");
  });

  check("a refresh ignores an Authorization header", async () => {
    const { refresh_token } = await server.sign_in("ada");
    const answer = await server.post("/api/v1/auth/refresh", { refresh_token }, "expired.or.garbage");
    assert.equal(answer.status, 200, answer.text);
  });

  check("logout ends the session at once, and is silent about unknown tokens", async () => {
    const session = await server.sign_in("ada");
    assert.equal((await me(session.token)).status, 200);
    const out = await server.post("/api/v1/auth/logout", { refresh_token: session.refresh_token });
    assert.equal(out.status, 200, out.text);
    assert.equal(typeof out.body.message, "string");
    assert_error(await me(session.token), 401);
    assert_error(await refresh(session.refresh_token), 401);
    assert.equal((await server.post("/api/v1/auth/logout", { refresh_token: "unknown" })).status, 200);
    assert.equal((await server.post("/api/v1/auth/logout")).status, 200);
  });

  check("a phone registers, signs in, refreshes and signs out", async () => {
    const email = "grace@example.com";
    const registered = await server.post("/api/v1/mobile/auth/register", { email, password, device: phone });
    assert.equal(registered.status, 201, registered.text);
    assert.equal(registered.body.is_new_user, true);
    assert.equal(registered.body.user.email, email);
    assert.equal((await me(registered.body.tokens.access_token)).body.id, registered.body.user.id);

    const signed_in = await server.post("/api/v1/mobile/auth/login", { email, password, device: phone });
    assert.equal(signed_in.status, 200, signed_in.text);
    assert.equal(signed_in.body.tokens.token_type, "Bearer");
    const refreshed = await refresh(signed_in.body.tokens.refresh_token, "/api/v1/mobile/auth/refresh");
    assert.equal(refreshed.status, 200, refreshed.text);
    assert.equal((await me(refreshed.body.access_token)).status, 200);
    const out = await server.post("/api/v1/mobile/auth/logout", { refresh_token: refreshed.body.refresh_token });
    assert.equal(out.status, 204, out.text);
    assert.equal(out.text, "");
    assert_error(await me(refreshed.body.access_token), 401);
    assert.deepEqual(broken_fields(await server.post("/api/v1/mobile/auth/login", { email, password })), ["device"]);
  });

  check("a mail goes out for the same address without telling whether it is known", async () => {
    const [known, unknown] = await Promise.all(
      ["ada@example.com", "stranger@example.com"].map((email) => server.post("/api/v1/auth/resend-otp", { email })),
    );
    assert.equal(known.status, 200, known.text);
    assert.equal(unknown.status, 200, unknown.text);
    assert.deepEqual(Object.keys(known.body), Object.keys(unknown.body));
    assert.equal(known.body.message, unknown.body.message);
    assert.equal(known.body.resends_remaining, unknown.body.resends_remaining);
  });

  check("after five failures the account is locked for strangers, and says for how long", async () => {
    await server.sign_up("locked");
    const guess = () => server.post("/api/v1/auth/login", { login: "locked", password: "Wrong-Horse-7-Battery" });
    for (let i = 0; i < 5; ++i) assert_error(await guess(), 401);
    const refused = await guess();
    assert_error(refused, 423);
    const wait = Number(refused.headers.get("retry-after"));
    assert.ok(wait > 0 && wait <= 30, `Retry-After: ${wait}`);
    await server.control("POST", "clock", { advance_seconds: wait });
    assert.equal((await server.post("/api/v1/auth/login", { login: "locked", password })).status, 200);
    await server.control("POST", "clock", { offset_seconds: 0 });
  });
});

describe("buying", () => {
  const { server, check } = with_server({ settings: quick });
  let ada, grace, basic, premium;

  check("the plans are public and have prices in USD and RUB", async () => {
    const { status, body } = await server.get("/api/v1/plans");
    assert.equal(status, 200);
    assert.equal(body.length, 3);
    for (const plan of body) {
      assert.deepEqual(plan.prices.map((p) => p.currency).sort(), ["RUB", "USD"]);
      assert.equal(plan.id, plan.uuid);
      assert.equal(plan.durationDays, plan.duration_days);
    }
    [basic, premium] = [await server.plan("Basic Monthly"), await server.plan("Premium Monthly")];
    [ada, grace] = [await server.sign_up("ada"), await server.sign_up("grace")];
  });

  check("without a subscription there is none", async () => {
    const active = await get_active(server, ada);
    assert.equal(active.status, "none");
    assert.equal(active.subscription_uuid, null);
    assert_error(await server.get(`/api/v1/subscriptions/config/${ada.id}`, ada.token), 404);
    assert.equal((await server.get("/api/v1/payments/history", ada.token)).body.total, 0);
  });

  check("what cannot be bought is refused, and nothing is stored", async () => {
    const create = (body) => server.post("/api/v1/payments/create", body, ada.token);
    assert_error(await create({ plan_id: basic.id, currency: "EUR" }), 422);
    assert_error(await create({ plan_id: "7b0b5d1e-0000-4000-8000-000000000000", currency: "USD" }), 404);
    assert_error(await create({ plan_id: "No Such Plan", currency: "USD" }), 404);
    assert_error(await create({ plan_id: basic.id, currency: "USD", user_uuid: grace.id }), 404);
    assert_error(await server.post("/api/v1/payments/create", { plan_id: basic.id, currency: "USD" }), 401);
    assert.deepEqual(broken_fields(await create({ currency: "usd" })), ["currency", "plan_id"]);
    assert.equal((await server.get("/api/v1/payments/history", ada.token)).body.total, 0);
    assert.deepEqual((await server.control("GET", "cryptobot/invoices")).items, []);
  });

  check("a repeat under one Idempotency-Key is one payment; another body is refused", async () => {
    const headers = { "idempotency-key": "first-purchase" };
    const first = await buy(server, ada, basic, { headers });
    assert.equal(first.status, 201, first.text);
    const again = await buy(server, ada, basic, { headers });
    assert.equal(again.status, 201, again.text);
    assert.deepEqual(again.body, first.body);
    assert_error(await buy(server, ada, premium, { headers }), 422);
    const others = await buy(server, grace, basic, { headers });
    assert.equal(others.status, 201, "a key is an account's own");
    assert.notEqual(others.body.payment_id, first.body.payment_id);
    const { items } = await server.control("GET", "cryptobot/invoices");
    assert.equal(items.length, 2);
    await server.control("POST", `cryptobot/invoices/${others.body.invoice_id}/expire`);
    await status_becomes(server, grace, others.body, "expired");
  });

  check("paying settles, subscribes and connects; every socket of the buyer hears of it", async () => {
    const sockets = [
      await server.socket("/ws/notifications", ada.token),
      await server.socket("/api/v1/ws/notifications", ada.token),
    ];
    const stranger = await server.socket("/ws/notifications", grace.token);
    const { body } = await server.get("/api/v1/payments/history", ada.token);
    const [invoice] = body.payments;
    assert.equal(invoice.status, "pending");
    assert.equal(invoice.amount, 4.99);
    await pay(server, invoice);
    for (const socket of sockets) {
      const notice = await socket.next("notification_received");
      assert.equal(notice.data.type, "paymentConfirmed");
      assert.ok(notice.data.title && notice.data.body);
      assert.match(notice.timestamp, /^\d{4}-.*Z$/);
      const updated = await socket.next("subscription_updated");
      assert.equal(updated.data.status, "active");
      assert.equal(updated.data.subscription_id, (await get_active(server, ada)).subscription_uuid);
      await socket.close();
    }
    assert.deepEqual(stranger.messages, []);
    await stranger.close();
    assert.equal((await status_becomes(server, ada, invoice, "paid")).plan_name, "Basic Monthly");
    const history = (await server.get("/api/v1/payments/history", ada.token)).body;
    assert.deepEqual(history.payments.map((p) => [p.status, p.amount, p.currency]), [["completed", 4.99, "USD"]]);
    assert.deepEqual(history.items, history.payments);

    const active = await get_active(server, ada);
    assert.equal(active.status, "active");
    assert.equal(active.plan_id, basic.id);
    assert.equal(active.days_remaining, 30);
    assert.equal(active.traffic_limit_bytes, 100 * 2 ** 30);
    assert.ok(Math.abs(days_between(active.started_at, active.expires_at) - 30) < 0.01);
  });

  check("the panel has the user, and its traffic is shown", async () => {
    const user = await eventually(async () => {
      const { items } = await server.control("GET", "panel/users");
      assert.equal(items.length, 1);
      return items[0];
    });
    assert.equal(user.status, "ACTIVE");
    assert.equal(user.hwidDeviceLimit, 3);
    const active = await get_active(server, ada);
    assert.ok(Math.abs(Date.parse(user.expireAt) - Date.parse(active.expires_at)) < 1000);
    await server.control("POST", `panel/users/${user.id}/traffic`, { used_bytes: 20 * 2 ** 30 });
    await eventually(async () => {
      const { used_traffic_bytes, traffic_remaining_percent } = await get_active(server, ada);
      assert.equal(used_traffic_bytes, 20 * 2 ** 30);
      assert.equal(traffic_remaining_percent, 80);
    });
    const config = await eventually(async () => {
      const answer = await server.get(`/api/v1/subscriptions/config/${ada.id}`, ada.token);
      assert.equal(answer.status, 200, answer.text);
      return answer.body;
    });
    assert.equal(config.subscription_url, user.subscriptionUrl);
    assert.equal(config.subscriptionUrl, config.subscription_url);
    assert.equal((await fetch(config.subscription_url)).status, 200, "what the phone imports is there");
  });

  check("another's payment and configuration are not there", async () => {
    const [invoice] = (await server.get("/api/v1/payments/history", ada.token)).body.payments;
    for (const id of [invoice.id, invoice.invoice_id])
      assert_error(await server.get(`/api/v1/payments/${id}/status`, grace.token), 404);
    assert_error(await server.get(`/api/v1/payments/history?user_uuid=${ada.id}`, grace.token), 404);
    assert_error(await server.get(`/api/v1/subscriptions/config/${ada.id}`, grace.token), 404);
  });

  check("a panel that is away leaves the last known figures, until it is back", async () => {
    const [user] = (await server.control("GET", "panel/users")).items;
    const gigabytes = async () => (await get_active(server, ada)).used_traffic_bytes / 2 ** 30;
    assert.equal(await gigabytes(), 20);
    await server.control("POST", "faults", { system: "panel", error_rate: 1, webhooks: "drop" });
    await server.control("POST", `panel/users/${user.id}/traffic`, { used_bytes: 30 * 2 ** 30 });
    const begun = Date.now();
    assert.equal(await gigabytes(), 20);
    assert.ok(Date.now() - begun < 4000, "nobody waits long for what is away");
    assert.equal((await get_active(server, ada)).status, "active");
    await server.control("DELETE", "faults");
    await eventually(async () => assert.equal(await gigabytes(), 30));
  });

  check("with every webhook lost, the poller settles", async () => {
    await server.control("POST", "faults", { system: "cryptobot", webhooks: "drop" });
    const before = await get_active(server, ada);
    const { body: invoice } = await buy(server, ada, basic, { currency: "RUB" });
    assert.equal(invoice.amount, 449);
    const socket = await server.socket("/ws/notifications", ada.token);
    await pay(server, invoice);
    await socket.next("notification_received"); // nobody asks for the status meanwhile: that would settle too
    await socket.close();
    assert.equal((await server.get(`/api/v1/payments/${invoice.invoice_id}/status`, ada.token)).body.status, "paid");
    await server.control("DELETE", "faults");
    const after = await get_active(server, ada);
    assert.equal(after.subscription_uuid, before.subscription_uuid);
    assert.ok(Math.abs(days_between(before.expires_at, after.expires_at) - 30) < 0.01, "a second purchase extends");
    await eventually(async () => {
      const [user] = (await server.control("GET", "panel/users")).items;
      assert.ok(Math.abs(Date.parse(user.expireAt) - Date.parse(after.expires_at)) < 1000, "at the panel too");
    });
  });

  check("with every webhook doubled, it settles once", async () => {
    await server.control("POST", "faults", { system: "cryptobot", webhooks: "duplicate" });
    const socket = await server.socket("/ws/notifications", ada.token);
    const before = await get_active(server, ada);
    const { body: invoice } = await buy(server, ada, basic);
    await pay(server, invoice);
    await status_becomes(server, ada, invoice, "paid");
    await socket.next("notification_received");
    await eventually(async () => {
      const { text } = await server.get("/metrics");
      assert.match(text, /^backstay_outbox_waiting 0$/m); // both webhooks are worked off
    });
    await server.control("DELETE", "faults");
    assert.deepEqual(socket.messages.filter((m) => m.type === "notification_received"), []);
    assert.ok(Math.abs(days_between(before.expires_at, (await get_active(server, ada)).expires_at) - 30) < 0.01);
    await socket.close();
  });

  check("an invoice that expires delivers nothing", async () => {
    const before = await get_active(server, ada);
    const { body: invoice } = await buy(server, ada, premium);
    await server.control("POST", `cryptobot/invoices/${invoice.invoice_id}/expire`);
    await status_becomes(server, ada, invoice, "expired");
    const [newest] = (await server.get("/api/v1/payments/history", ada.token)).body.payments;
    assert.deepEqual([newest.id, newest.status], [invoice.payment_id, "failed"]);
    assert.equal((await get_active(server, ada)).expires_at, before.expires_at);
  });

  check("a forged webhook settles nothing", async () => {
    const { body: invoice } = await buy(server, grace, basic);
    const body = JSON.stringify({ update_id: 1, update_type: "invoice_paid", payload: { invoice_id: Number(invoice.invoice_id), status: "paid" } });
    for (const headers of [{}, { "crypto-pay-api-signature": "00".repeat(32) }])
      assert_error(await server.post("/api/v1/webhooks/cryptobot", body, undefined, headers), 401);
    assert.equal((await server.get(`/api/v1/payments/${invoice.invoice_id}/status`, grace.token)).body.status, "pending");
  });

  check("whoever pays while the server looks away is served when it is back", async () => {
    await server.control("POST", "faults", { system: "cryptobot", error_rate: 1 });
    const refused = await buy(server, grace, premium);
    assert.ok([502, 503, 504].includes(refused.status), refused.text);
    await server.control("DELETE", "faults");
    const { status, body: invoice } = await buy(server, grace, premium);
    assert.equal(status, 201);
    await server.control("POST", "faults", { system: "cryptobot", error_rate: 1 });
    await pay(server, invoice);
    const { body: still } = await server.get(`/api/v1/payments/${invoice.invoice_id}/status`, grace.token);
    assert.equal(still.status, "pending");
    await server.control("DELETE", "faults");
    await status_becomes(server, grace, invoice, "paid");
    assert.equal((await get_active(server, grace)).plan_name, "Premium Monthly");
    assert.equal((await get_active(server, grace)).traffic_limit_bytes, null, "unlimited");
  });

  check("the books balance", async () => {
    const { code, out, err } = await check_ledger(server);
    assert.equal(code, 0, out + err);
    assert.match(out, /every paid payment is booked once/);
  });
});

describe("what is told live", () => {
  const { server, check } = with_server({ settings: quick });
  let ada, admin, node;
  const flap = (is_connected) => server.control("POST", `panel/nodes/${node.uuid}`, { is_connected });

  check("the servers and how they are", async () => {
    [ada, admin] = [await server.sign_up("ada"), await server.sign_in_admin()];
    const { body } = await server.get("/api/v1/servers", ada.token);
    assert.equal(body.length, 3);
    [node] = body;
    assert.deepEqual([node.status, node.is_connected, node.is_available], ["online", true, true]);
    assert.deepEqual((await server.get(`/api/v1/servers/${node.id}`, ada.token)).body, node);
    const status = (await server.get(`/api/v1/servers/${node.id}/status`, ada.token)).body;
    assert.deepEqual([status.uuid, status.status, status.is_connected], [node.id, "online", true]);
    assert.equal((await server.get("/api/v1/servers?offset=1&limit=1", ada.token)).body.length, 1);
    assert_error(await server.get("/api/v1/servers/7b0b5d1e-0000-4000-8000-000000000000", ada.token), 404);
    assert_error(await server.get("/api/v1/servers"), 401);
  });

  check("a ticket opens one socket, within its time", async () => {
    const { status, body } = await server.post("/api/v1/ws/ticket", undefined, ada.token);
    assert.equal(status, 200);
    assert.match(body.ticket, /^[0-9a-f]{32}$/);
    assert.equal(body.expires_in, 30);
    assert_error(await server.post("/api/v1/ws/ticket"), 401);
  });

  check("topics are by role", async () => {
    const mine = await server.socket("/ws/monitoring", ada.token);
    const greeting = await mine.next("available_topics");
    assert.deepEqual([greeting.topics, greeting.role], [["general"], "viewer"]);
    mine.send({ type: "subscribe", topics: ["general", "servers", "nonsense"] });
    assert.equal((await mine.next("subscribed")).topic, "general");
    for (const topic of ["servers", "nonsense"]) {
      const refused = await mine.next("error");
      assert.equal(refused.topic, topic);
      assert.equal(refused.message, `Insufficient permissions to subscribe to topic: ${topic}`);
    }
    const theirs = await server.socket("/api/v1/ws/monitoring", admin.token);
    const all = await theirs.next("available_topics");
    assert.deepEqual(all.topics, ["servers", "users", "system", "payments", "general"]);
    assert.equal(all.role, "super_admin");
    theirs.send({ topics: ["servers", "users"] });
    assert.equal((await theirs.next("subscribed")).topic, "servers");
    assert.equal((await theirs.next("subscribed")).topic, "users");
    theirs.send({ type: "ping" });
    await theirs.next("pong");
    theirs.send({ type: "unsubscribe", topics: ["users"] });
    assert.equal((await theirs.next("unsubscribed")).topic, "users");
    theirs.send({ type: "dance" });
    assert.equal((await theirs.next("error")).message, "Unknown message type: dance");
    for (const garbage of ["{", "[]", "1", '"text"', '{"type":1}']) {
      theirs.send(garbage);
      assert.equal((await theirs.next("error")).message, "Invalid JSON message", garbage);
    }
    await Promise.all([mine.close(), theirs.close()]);
  });

  check("a node that goes and comes is told to every app, and to those who watch the servers", async () => {
    const app = await server.socket("/ws/notifications", ada.token);
    const watcher = await server.socket("/ws/monitoring", admin.token);
    const idle = await server.socket("/ws/monitoring", admin.token);
    watcher.send({ type: "subscribe", topics: ["servers"] });
    await watcher.next("subscribed");
    const about_node = (status) => (m) => m.type === "server_status_changed" && m.data.server_id === node.id && m.data.status === status;
    for (const [is_connected, status] of [[false, "offline"], [true, "online"]]) {
      await flap(is_connected);
      for (const socket of [app, watcher]) {
        const { data, timestamp } = await socket.next(about_node(status));
        assert.equal(typeof data.current_users, "number");
        assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
      }
      const { body } = await server.get(`/api/v1/servers/${node.id}/status`, ada.token);
      assert.deepEqual([body.status, body.is_connected], [status, is_connected]);
    }
    assert.deepEqual(idle.messages.filter((m) => m.type !== "available_topics"), [], "nobody hears what it did not ask for");
    await Promise.all([app, watcher, idle].map((socket) => socket.close()));
  });

  check("a panel that is away leaves the last known servers", async () => {
    const logged = (message) => () => assert.ok(server.log_lines.some((line) => line.message === message));
    const last_look = async () => (await server.get(`/api/v1/servers/${node.id}/status`, ada.token)).body.last_checked_at;
    await server.control("POST", "faults", { system: "panel", error_rate: 1 });
    await eventually(logged("the panel is away"));
    const known = await last_look();
    const { status, body } = await server.get("/api/v1/servers", ada.token);
    assert.equal(status, 200);
    assert.equal(body.length, 3);
    assert.equal(await last_look(), known, "and says when that was");
    await server.control("DELETE", "faults");
    await eventually(async () => assert.notEqual(await last_look(), known));
  });

  check("a stop says goodbye to open sockets", async () => {
    const socket = await server.socket("/ws/notifications", ada.token);
    const { code } = await server.stop();
    assert.equal(code, 0);
    assert.equal((await socket.closed).code, 1001);
  });
});

describe("two servers on one database", () => {
  const { server: first, check } = with_server({ settings: quick });
  const second = new Server({ directory: first.directory, settings: quick });
  let ada;

  before(async () => {
    [second.port] = await free_ports(1);
    second.sandbox_port = first.sandbox_port; // whose webhooks go to the first
    await second.start();
    ada = await first.sign_up("ada");
  });

  check("a session counts on both, and its end within a second", async () => {
    const session = await first.sign_in("ada");
    for (const server of [first, second, second]) assert.equal((await server.get("/api/v1/auth/me", session.token)).status, 200);
    await first.post("/api/v1/auth/logout", { refresh_token: session.refresh_token });
    await eventually(async () => assert_error(await second.get("/api/v1/auth/me", session.token), 401), 1);
  });

  check("a ticket of one opens one socket, at either", async () => {
    const ticket = await first.ticket(ada.token);
    const open = (server) => open_socket(`ws://127.0.0.1:${server.port}/ws/notifications?ticket=${ticket}`);
    const socket = await open(second);
    await assert.rejects(open(first), { status: 403 });
    await socket.close();
  });

  check("what settles at one is told at the other", async () => {
    const socket = await second.socket("/ws/notifications", ada.token);
    const { body: invoice } = await buy(second, ada, await first.plan("Basic Monthly"));
    await pay(first, invoice);
    assert.equal((await socket.next("notification_received")).data.type, "paymentConfirmed");
    for (const server of [first, second]) assert.equal((await get_active(server, ada)).status, "active");
    await socket.close();
  });

  check("a key that comes to both at once is one payment", async () => {
    const plan = await first.plan("Premium Monthly");
    const headers = { "idempotency-key": "at-both" };
    const answers = await Promise.all([first, second, first, second].map((server) => buy(server, ada, plan, { headers })));
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      assert_error(answer, 409); // still running
      assert.match(answer.headers.get("retry-after"), /^\d+$/);
    }
    const made = new Set(answers.filter(({ status }) => status === 201).map(({ body }) => body.payment_id));
    assert.equal(made.size, 1);
    assert.deepEqual([...made], [(await buy(second, ada, plan, { headers })).body.payment_id]);
    assert.equal((await first.get("/api/v1/payments/history", ada.token)).body.total, 2);
  });

  check("the one that leaves takes neither database nor sandbox with it", async () => {
    const { code } = await second.stop();
    assert.equal(code, 0);
    assert.equal((await first.get("/health/ready")).status, 200);
    await first.sign_up("grace");
    const { code: clean, out } = await check_ledger(first);
    assert.equal(clean, 0, out);
  });
});
