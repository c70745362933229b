// Plans as administrators keep them, trials, cancelling, and what happens at a subscription's end.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { assert_as_agreed } from "./contract.js";
import { assert_error, broken_fields, eventually, run, set, with_server } from "./server.js";

const day = 86_400;
const quick = {
  "payments.poll": "500ms",
  "panel.poll": "300ms",
  "panel.cache": "0s",
  "subscriptions.jobs": "200ms",
  "subscriptions.grace": "1h",
  "limits.payments": "10000",
  "limits.general": "10000",
};
const plans = "/api/v1/admin/plans";
const stranger = "00000000-0000-4000-8000-000000000000";
const agreed = (method, path, answer) => assert_as_agreed("mobile", method, path, answer).body;

const activate = (server, who) => server.post("/api/v1/trial/activate", undefined, who.token);
const cancel = (server, who, body) => server.post("/api/v1/subscriptions/cancel", body, who.token);
const get_active = async (server, who) => (await server.get("/api/v1/subscriptions/active", who.token)).body;
const days_until = (moment, from) => Math.round((Date.parse(moment) - from) / (day * 1000));

async function buy(server, who, name) {
  const plan = await server.plan(name);
  const { body } = await server.post("/api/v1/payments/create", { plan_id: plan.id, currency: "USD" }, who.token);
  await server.control("POST", `cryptobot/invoices/${body.invoice_id}/pay`);
  await eventually(async () => assert.equal((await get_active(server, who)).plan_name, name));
}

const examine = async (server) => {
  const doctor = await run(["doctor", "subscriptions", ...server.arguments, ...set({ environment: "development" })]);
  assert.equal(doctor.code, 0, doctor.out);
};

describe("trials and cancelling", () => {
  const { server, check } = with_server({ settings: quick });

  check("a trial is once, and as the settings say", async () => {
    const ada = await server.sign_up("ada");
    const before = agreed("GET", "/api/v1/trial/status", await server.get("/api/v1/trial/status", ada.token));
    assert.deepEqual([before.is_eligible, before.is_trial_active, before.trial_used], [true, false, false]);
    const answers = await Promise.all(Array.from({ length: 16 }, () => activate(server, ada)));
    const [won, ...lost] = answers.sort((a, b) => a.status - b.status);
    const { trial_end, subscription } = agreed("POST", "/api/v1/trial/activate", won);
    for (const answer of lost) assert_error(answer, 400, "TRIAL_USED");
    assert.equal(days_until(trial_end, Date.now()), 3);
    assert.equal(subscription.status, "trial");
    await eventually(async () => assert.equal((await server.get(`/api/v1/subscriptions/config/${ada.id}`, ada.token)).status, 200));
    const active = agreed("GET", "/api/v1/subscriptions/active", await server.get("/api/v1/subscriptions/active", ada.token));
    assert.deepEqual([active.status, active.max_devices, active.traffic_limit_bytes], ["trial", 2, 5 * 2 ** 30]);
    const after = agreed("GET", "/api/v1/trial/status", await server.get("/api/v1/trial/status", ada.token));
    assert.deepEqual([after.is_eligible, after.is_trial_active, after.days_remaining], [false, true, 3]);
    agreed("GET", "/api/v1/plans", await server.get("/api/v1/plans"));
    assert.ok(!(await server.get("/api/v1/plans")).body.some(({ name }) => name === "Trial"), "not on sale");
    await examine(server);
  });

  check("no trial after a subscription, and none for strangers", async () => {
    const bob = await server.sign_up("bob");
    await buy(server, bob, "Basic Monthly");
    assert_error(await activate(server, bob), 400, "TRIAL_USED");
    const path = "/api/v1/subscriptions/config";
    await eventually(async () => agreed("GET", `${path}/{user_uuid}`, await server.get(`${path}/${bob.id}`, bob.token)));
    for (const path of ["/api/v1/trial/activate", "/api/v1/subscriptions/cancel"]) assert_error(await server.post(path), 401);
    assert_error(await server.get("/api/v1/trial/status"), 401);
  });

  check("cancelling keeps the period, changes nothing the second time, and is limited", async () => {
    const cat = await server.sign_up("cat");
    assert_error(await cancel(server, cat), 400, "NO_ACTIVE_SUBSCRIPTION");
    await buy(server, cat, "Basic Monthly");
    const broken = await cancel(server, cat, { reason: "x".repeat(51), feedback: "y".repeat(1001) });
    assert.deepEqual(broken_fields(broken), ["feedback", "reason"]);
    const first = agreed("POST", "/api/v1/subscriptions/cancel", await cancel(server, cat, { reason: "too_expensive", feedback: "Sorry" }));
    assert.equal(days_until(first.effective_until, Date.now()), 30);
    const active = await get_active(server, cat);
    assert.deepEqual([active.status, active.auto_renew, active.expires_at], ["cancelled", false, first.effective_until]);
    for (const body of [undefined, { reason: "other" }]) assert.deepEqual((await cancel(server, cat, body)).body, first);
    const limited = await cancel(server, cat);
    assert_error(limited, 429);
    assert.ok(Number(limited.headers.get("retry-after")) > 0);
    await buy(server, cat, "Premium Monthly");
    assert.equal((await get_active(server, cat)).status, "active", "who buys again has not cancelled");
    await examine(server);
  });
});

describe("the end of a subscription", () => {
  const { server, check } = with_server({ settings: quick });

  check("is told before and once after the grace, and the panel goes on until then", async () => {
    const dan = await server.sign_up("dan");
    const socket = await server.socket("/ws/notifications", dan.token);
    assert.equal((await activate(server, dan)).status, 200);
    const next = (kind) => socket.next((m) => m.type === "notification_received" && JSON.stringify(m).includes(`"${kind}"`));
    await next("subscriptionExpiring"); // three days before the end of a trial is at once
    await server.control("POST", "clock", { advance_seconds: 3 * day + 1800 });
    assert.equal((await get_active(server, await server.sign_in("dan"))).status, "expired");
    await server.control("POST", "clock", { advance_seconds: 1801 });
    await next("expired");
    await server.control("POST", "clock", { offset_seconds: 0 });
    await examine(server);
  });
});

describe("plans", () => {
  const { server, check } = with_server({ settings: quick });
  const usd = (minor) => [{ currency: "USD", minor }];
  const team = {
    name: "Team", description: "For ten", audience: "console", code: "enterprise", position: 4, is_popular: true,
    traffic_limit_bytes: null, traffic_reset: "monthly", max_devices: 10, features: ["SSO"], attributes: { team_seats: 10 },
    duration_days: 30,
    offers: [{ days: 30, discount_percent: 0, prices: usd(9900) }, { days: 365, discount_percent: 10, prices: usd(110000) }],
    price_names: [{ days: 30, provider: "stripe", name: "price_1" }],
  };
  const make = (admin, body, headers) => server.post(plans, body, admin.token, headers);

  check("are made, read, written anew and taken off sale, and the trail tells of it", async () => {
    const admin = await server.sign_in_admin();
    const made = await make(admin, team);
    assert.equal(made.status, 201, made.text);
    const { id, number, ...rest } = made.body;
    assert.ok(number > 0);
    assert.deepEqual(rest, { is_active: true, is_trial: false, ...team });
    assert.deepEqual((await server.get(`${plans}/${id}`, admin.token)).body, made.body);
    const changed = { ...team, name: "Crew", audience: "vpn", offers: [{ days: 30, discount_percent: 25, prices: usd(1000) }] };
    const written = await server.api("PUT", `${plans}/${id}`, { token: admin.token, body: changed });
    assert.equal(written.status, 200, written.text);
    assert.deepEqual([written.body.name, written.body.number, written.body.offers], ["Crew", number, changed.offers]);
    const shown = (await server.get("/api/v1/plans")).body.find((plan) => plan.id === id);
    assert.deepEqual([shown.price, shown.durationDays], [7.5, 30], "the discount is taken off");
    const list = async (query) => (await server.get(`${plans}?${query}`, admin.token)).body;
    assert.deepEqual((await list("audience=console")).total, 0);
    assert.deepEqual((await list("limit=1")).items.length, 1);
    const retired = await server.api("DELETE", `${plans}/${id}`, { token: admin.token });
    assert.equal(retired.body.is_active, false);
    assert.equal((await server.api("DELETE", `${plans}/${id}`, { token: admin.token })).status, 200);
    assert.ok(!(await server.get("/api/v1/plans")).body.some((plan) => plan.id === id));
    const trail = (await server.get("/api/v1/admin/audit?action=plan", admin.token)).body.items;
    assert.deepEqual(trail.map(({ action }) => action), ["plan.retire", "plan.update", "plan.create"]);
    assert.deepEqual([trail[0].resource, trail[0].actor], [`plan:${id}`, admin.id]);
  });

  check("broken fields are named, all at once", async () => {
    const admin = await server.sign_in_admin();
    const broken = { name: "", audience: "VPN!", code: "A b", position: -1, traffic_limit_bytes: 0, traffic_reset: "yearly",
      max_devices: 0, duration_days: 0, is_active: "yes", features: "SSO", attributes: [] };
    assert.deepEqual(broken_fields(await make(admin, broken)), [...Object.keys(broken), "offers"].sort());
    const offers = [{ days: 0, discount_percent: 101, prices: [{ currency: "usd", minor: -1 }] }, { days: 30 }];
    assert.deepEqual(broken_fields(await make(admin, { name: "x", offers })),
      ["offers.0.days", "offers.0.discount_percent", "offers.0.prices.0.currency", "offers.0.prices.0.minor", "offers.1.discount_percent", "offers.1.prices"]);
    const doubled = { ...team, duration_days: 60, offers: [...team.offers, ...team.offers], price_names: [{ days: 7, provider: "a", name: "b" }] };
    assert.deepEqual(broken_fields(await make(admin, doubled)), ["duration_days", "offers", "price_names"]);
  });

  check("names, codes and a provider's names are one plan's only", async () => {
    const admin = await server.sign_in_admin();
    const kept = { ...team, name: "Kept", code: "kept", price_names: [{ days: 30, provider: "stripe", name: "price_kept" }] };
    const headers = { "idempotency-key": "one-plan" };
    const first = await make(admin, kept, headers);
    assert.equal(first.status, 201, first.text);
    assert.deepEqual((await make(admin, kept, headers)).body, first.body, "the same key makes one plan");
    assert_error(await make(admin, { ...kept, name: "KEPT" }), 409, "PLAN_NAME_TAKEN");
    assert_error(await make(admin, { ...kept, name: "Other" }), 409, "PLAN_CODE_TAKEN");
    assert_error(await make(admin, { ...kept, name: "Other", code: null }), 409, "PRICE_NAME_TAKEN");
  });

  check("who may do what, and strange ids", async () => {
    const admin = await server.sign_in_admin();
    const eve = await server.sign_up("eve");
    const calls = [["GET", plans], ["GET", `${plans}/${stranger}`], ["POST", plans, team], ["PUT", `${plans}/${stranger}`, team], ["DELETE", `${plans}/${stranger}`]];
    for (const [method, path, body] of calls) {
      assert_error(await server.api(method, path, { token: eve.token, body }), 403);
      assert_error(await server.api(method, path, { body }), 401);
      if (path !== plans) assert_error(await server.api(method, path, { token: admin.token, body }), 404, "PLAN_NOT_FOUND");
    }
  });
});
