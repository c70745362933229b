// Invitations and promo codes, over real HTTP.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { assert_as_agreed } from "./contract.js";
import { assert_error, broken_fields, eventually, password, phone, run, with_server } from "./server.js";

const quick = { "payments.poll": "500ms", "limits.general": "10000", "limits.payments": "1000" };
const codes = "/api/v1/admin/promocodes";
const stranger = "00000000-0000-4000-8000-000000000000";

describe("invitations", () => {
  const settings = { ...quick, "referrals.percent": "25", "referrals.share_url": "https://shop.example/r/" };
  const { server, check } = with_server({ settings });
  const agreed = async (path, token) =>
    assert_as_agreed("mobile", "GET", `/api/v1/referral/${path}`, await server.get(`/api/v1/referral/${path}`, token)).body;

  /** A new account of the web client, by an invitation. */
  const join = async (login, referral_code) => {
    const email = `${login}@example.com`;
    const form = { login, email, password, tos_accepted: true, referral_code };
    const registered = await server.post("/api/v1/auth/register", form);
    assert.equal(registered.status, 201, registered.text);
    const verified = await server.post("/api/v1/auth/verify-otp", { email, code: await server.mailed_code(email) });
    return { email, token: verified.body.access_token };
  };

  const buy = async (who) => {
    const plan = (await server.get("/api/v1/plans")).body.find((each) => each.prices.some((p) => p.currency === "USD"));
    const made = await server.post("/api/v1/payments/create", { plan_id: plan.id, currency: "USD" }, who.token);
    assert.equal(made.status, 201, made.text);
    await server.control("POST", `cryptobot/invoices/${made.body.invoice_id}/pay`);
    await eventually(async () => {
      const { body } = await server.get(`/api/v1/payments/${made.body.invoice_id}/status`, who.token);
      assert.equal(body.status, "paid");
    });
    return made.body;
  };
  const check_ledger = async () => {
    const doctor = await run(["doctor", "ledger", "--set", "environment=development", ...server.arguments]);
    assert.equal(doctor.code, 0, doctor.out);
  };

  check("the commission of a payment comes to whoever invited", async () => {
    const ada = await server.sign_up("ada");
    const { code, referral_code, share_url } = await agreed("code", ada.token);
    assert.match(code, /^[A-HJ-NP-Z2-9]{8}$/);
    assert.equal(referral_code, code);
    assert.equal(share_url, `https://shop.example/r/${code}`);
    assert.equal((await server.get("/api/v1/referral/code", ada.token)).body.code, code, "the same again");
    const before = await server.get("/api/v1/referral/stats", ada.token);
    assert.deepEqual([before.body.total, before.body.total_earned, before.body.commission_rate], [0, 0, 0.25]);

    const bob = await join("bob", code.toLowerCase());
    await join("carol", "ZZZZZZZZ"); // nobody's: she joins by herself
    const bought = await buy(bob);
    const earned = Math.floor(Math.round(bought.amount * 100) / 4) / 100;
    const status = await agreed("status", ada.token);
    assert.deepEqual(
      [status.referral_code, status.is_active, status.total_referrals, status.reward_balance, status.currency],
      [code, true, 1, earned, "USD"],
    );
    const stats = await agreed("stats", ada.token);
    assert.deepEqual([stats.total, stats.active, stats.expired, stats.paid_users], [1, 1, 0, 1]);
    assert.deepEqual([stats.total_earned, stats.points_earned, stats.balance], [earned, earned, earned]);
    assert.deepEqual(stats.earnings, [{ currency: "USD", earned, pending: 0, withdrawable: earned }]);
    const [item, ...more] = await agreed("recent", ada.token);
    assert.deepEqual(more, []);
    assert.deepEqual([item.referred_email, item.status, item.earned], ["b***@example.com", "active", earned]);
    assert.doesNotMatch(JSON.stringify(item), /bob/);
    assert.deepEqual((await server.get("/api/v1/referral/recent", bob.token)).body, [], "nobody else's");

    await check_ledger();

    const admin = await server.sign_in_admin();
    const refund = { at_provider: false, note: "asked for it" };
    const refunded = await server.post(`/api/v1/admin/payments/${bought.payment_id}/refund`, refund, admin.token);
    assert.equal(refunded.status, 200, refunded.text);
    const after = (await server.get("/api/v1/referral/stats", ada.token)).body;
    assert.deepEqual([after.total, after.paid_users, after.total_earned, after.balance], [1, 0, 0, 0]);
    await check_ledger();
  });

  check("the app reads an object where the web client reads a list", async () => {
    const form = { email: "dora@example.com", password, device: phone };
    const { access_token } = (await server.post("/api/v1/mobile/auth/register", form)).body;
    const { code } = (await server.get("/api/v1/referral/code", access_token)).body;
    const other = { ...phone, device_id: "5f0e8b5e-6f0a-4c57-9d55-0d2f3c5b7a12" };
    const joined = { email: "emil@example.com", password, device: other, referral_code: code };
    assert.equal((await server.post("/api/v1/mobile/auth/register", joined)).status, 201);
    const same = { email: "dora2@example.com", password, device: phone, referral_code: code };
    assert.equal((await server.post("/api/v1/mobile/auth/register", same)).status, 201, "but invited by herself: ignored");
    const { body } = await server.get("/api/v1/referral/recent", access_token);
    assert.deepEqual(body.referrals.map(({ referred_email, status }) => [referred_email, status]), [["e***@example.com", "pending"]]);
  });

  check("only for oneself, and within limits", async () => {
    for (const path of ["status", "code", "stats", "recent"]) assert_error(await server.get(`/api/v1/referral/${path}`), 401);
    const eve = await server.sign_up("eve");
    for (const limit of [0, 101, "x"])
      assert.deepEqual(broken_fields(await server.get(`/api/v1/referral/recent?limit=${limit}`, eve.token)), ["limit"]);
    const form = { login: "mallory", email: "mallory@example.com", password, tos_accepted: true };
    for (const referral_code of [5, "x".repeat(33), {}])
      assert.deepEqual(broken_fields(await server.post("/api/v1/auth/register", { ...form, referral_code })), ["referral_code"]);
    for (const referral_code of [null, "", "' OR 1--"]) {
      const login = `m${Math.random().toString(36).slice(2)}`;
      const answer = await server.post("/api/v1/auth/register", { ...form, login, email: `${login}@example.com`, referral_code });
      assert.equal(answer.status, 201, answer.text);
    }
  });
});

describe("bonuses", () => {
  const settings = { ...quick, "referrals.currency": "USD", "referrals.minimum": "100", "referrals.referrer_bonus": "200",
    "referrals.referred_bonus": "100", "referrals.percent": "0", "http.trusted_proxies": "127.0.0.1" };
  const { server, check } = with_server({ settings });

  const register = async (login, address, referral_code) => {
    const device = { ...phone, device_id: crypto.randomUUID() };
    const body = { email: `${login}@example.com`, password, device, referral_code };
    const answer = await server.post("/api/v1/mobile/auth/register", body, undefined, { "x-forwarded-for": address });
    assert.equal(answer.status, 201, answer.text);
    return answer.body.access_token;
  };
  const buy = async (token) => {
    const { body } = await server.get("/api/v1/plans");
    const made = await server.post("/api/v1/payments/create", { plan_id: body[0].id, currency: "USD" }, token);
    await server.control("POST", `cryptobot/invoices/${made.body.invoice_id}/pay`);
    await eventually(async () => {
      const paid = await server.get(`/api/v1/payments/${made.body.invoice_id}/status`, token);
      assert.equal(paid.body.status, "paid");
    });
  };
  const pending = async (token) => (await server.get("/api/v1/referral/stats", token)).body.earnings[0].pending;

  check("wait for a refund, and come once an address block", async () => {
    const ada = await register("ada", "203.0.113.7");
    const { code } = (await server.get("/api/v1/referral/code", ada)).body;
    await buy(await register("neighbour", "203.0.113.99", code));
    assert.equal(await pending(ada), 0, "the referrer's own block");
    const bob = await register("bob", "198.51.100.1", code);
    await buy(bob);
    assert.deepEqual([await pending(ada), await pending(bob)], [2, 1]);
    await buy(await register("bobs_brother", "198.51.100.2", code));
    assert.equal(await pending(ada), 2, "the same block again");
    await server.control("POST", "clock", { advance_seconds: 14 * 86_400 + 60 });
    const earned = async (login) => {
      const { token } = await server.sign_in(`${login}@example.com`);
      return (await server.get("/api/v1/referral/stats", token)).body.total_earned;
    };
    await eventually(async () => assert.deepEqual([await earned("ada"), await earned("bob")], [2, 1]), 45);
  });
});

describe("promo codes", () => {
  const { server, check } = with_server({ settings: quick });
  const money = { code: "welcome", type: "balance", amount: "100.50", currency: "RUB", max_uses: 10 };
  const put = (path, body, token) => server.api("PUT", path, { token, body });
  const del = (path, token) => server.api("DELETE", path, { token });

  check("are made, read, listed, changed and deleted, and the trail tells of it", async () => {
    const { token } = await server.sign_in_admin();
    const made = await server.post(codes, money, token);
    assert.equal(made.status, 201, made.text);
    const { id } = made.body;
    assert.deepEqual([made.body.code, made.body.amount, made.body.currency, made.body.uses], ["WELCOME", 100.5, "RUB", 0]);
    assert_error(await server.post(codes, { ...money, code: "Welcome" }, token), 409, "PROMO_EXISTS");
    assert.deepEqual((await server.get(`${codes}/${id}`, token)).body, made.body);
    const sale = { code: "SALE-1", type: "discount", percent: 30, hours: 2, valid_until: "2030-01-01T00:00:00Z", is_active: false };
    const other = await server.post(codes, sale, token);
    assert.equal(other.status, 201, other.text);
    const list = async (query) => (await server.get(`${codes}?${query}`, token)).body;
    assert.deepEqual((await list("q=wel")).items.map((each) => each.code), ["WELCOME"]);
    assert.deepEqual((await list("type=discount&is_active=false")).items.map((each) => each.code), ["SALE-1"]);
    assert.deepEqual((await list("limit=1")).total, 2);
    const changed = await put(`${codes}/${id}`, { ...money, amount: 7, first_purchase_only: true }, token);
    assert.equal(changed.status, 200, changed.text);
    assert.deepEqual([changed.body.amount, changed.body.first_purchase_only, changed.body.id], [7, true, id]);
    const again = await put(`${codes}/${id}`, changed.body, token);
    assert.deepEqual({ ...again.body, updated_at: null }, { ...changed.body, updated_at: null }, "what is read can be written");
    assert_error(await put(`${codes}/${id}`, { ...money, code: "SALE-1" }, token), 409, "PROMO_EXISTS");
    assert.deepEqual((await server.get(`${codes}/${id}/uses`, token)).body, { items: [], total: 0, offset: 0, limit: 50 });
    assert.equal((await del(`${codes}/${id}`, token)).status, 204);
    for (const answer of [await server.get(`${codes}/${id}`, token), await del(`${codes}/${id}`, token),
      await put(`${codes}/${id}`, money, token), await server.get(`${codes}/${id}/uses`, token)])
      assert_error(answer, 404);
    assert.equal((await server.post(codes, money, token)).status, 201, "its name is free again");
    const { items } = (await server.get("/api/v1/admin/audit?action=promo_code", token)).body;
    assert.deepEqual(items.map((each) => each.action.split(".")[1]), ["created", "deleted", "changed", "changed", "created", "created"]);
    assert.equal(items[1].resource, `promo_code:${id}`);
  });

  check("a repeat with the same key makes no second one", async () => {
    const { token } = await server.sign_in_admin();
    const body = { ...money, code: "REPEATED" };
    const headers = { "idempotency-key": "promo-1" };
    const [one, two] = [await server.post(codes, body, token, headers), await server.post(codes, body, token, headers)];
    assert.equal(one.status, 201, one.text);
    assert.deepEqual(two.body, one.body);
  });

  check("every broken field is named", async () => {
    const { token } = await server.sign_in_admin();
    const broken = async (body) => broken_fields(await server.post(codes, body, token));
    assert.deepEqual(await broken({}), ["code", "type"]);
    assert.deepEqual(await broken({ code: "x", type: "gift", days: 0, percent: 101, max_uses: 0, valid_from: "soon" }),
      ["code", "days", "max_uses", "percent", "type", "valid_from"]);
    assert.deepEqual(await broken({ code: "a b c", type: "balance", amount: "1.234", currency: "RUB", days: 3 }),
      ["amount", "code", "days"]);
    assert.deepEqual(await broken({ code: "DAYS", type: "days" }), ["days"]);
    assert.deepEqual(await broken({ code: "DAYS", type: "days", days: 3, plan_id: stranger }), ["plan_id"]);
    assert.deepEqual(await broken({ ...money, currency: "rub" }), ["currency"]);
    assert.deepEqual(broken_fields(await server.get(`${codes}?type=x&limit=0&offset=-1`, token)), ["limit", "offset", "type"]);
    assert.deepEqual(broken_fields(await server.get(`${codes}/42`, token)), ["id"]);
    assert_error(await server.get(`${codes}/${stranger}`, token), 404);
  });

  check("only for administrators", async () => {
    const viewer = await server.sign_up("viewer_of_codes");
    const calls = [["GET", codes], ["POST", codes, money], ["GET", `${codes}/${stranger}`], ["PUT", `${codes}/${stranger}`, money],
      ["DELETE", `${codes}/${stranger}`], ["GET", `${codes}/${stranger}/uses`]];
    for (const [method, path, body] of calls) {
      assert_error(await server.api(method, path, { token: viewer.token, body }), 403);
      assert_error(await server.api(method, path, { body }), 401);
    }
  });
});
