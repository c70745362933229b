// What operators see of accounts and do to them, who may do what, and what the trail says afterwards.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { assert_error, broken_fields, eventually, password, phone, run, set, with_server } from "./server.js";

const accounts = "/api/v1/admin/accounts";
const stranger = "00000000-0000-4000-8000-000000000000";

/** The trail is written after the answer where the answer must not wait for it. */
const in_trail = (server, admin, query, check) =>
  eventually(async () => {
    const { status, text, body } = await server.get(`/api/v1/admin/audit?${query}`, admin.token);
    assert.equal(status, 200, text);
    return check(body.items);
  });

const set_role = (server, admin, id, role) => server.api("PUT", `${accounts}/${id}/role`, { token: admin.token, body: { role } });

describe("who may do what", () => {
  const { server, check } = with_server({ settings: { "limits.general": "10000" } });
  const ranks = ["viewer", "support", "operator", "admin", "super_admin"];

  /** Every call of the family, with the least role that may do it. */
  const calls = (id) => [
    ["support", "GET", accounts],
    ["support", "GET", `${accounts}/${id}`],
    ["super_admin", "PUT", `${accounts}/${id}/role`, { role: "viewer" }],
    ["admin", "POST", `${accounts}/${id}/lock`, { reason: "a table of who may what" }],
    ["admin", "POST", `${accounts}/${id}/unlock`],
    ["admin", "DELETE", `${accounts}/${id}/sessions`],
    ["support", "GET", `${accounts}/${id}/wallet`],
    ["support", "GET", `${accounts}/${id}/wallet/transfers`],
    ["admin", "POST", `${accounts}/${id}/wallet/adjustments`, { amount: "1.00", currency: "USD", reason: "a table of who may what" }],
    ["admin", "GET", "/api/v1/admin/audit"],
  ];

  check("a table of role and endpoint", async () => {
    const admin = await server.sign_in_admin();
    const target = await server.sign_up("target");
    for (const [rank, role] of ranks.entries()) {
      const who = await server.sign_up(`a_${role}`);
      if (role !== "viewer") assert.equal((await set_role(server, admin, who.id, role)).status, 200);
      for (const [least, method, path, body] of calls(target.id)) {
        const { status, text } = await server.api(method, path, { token: who.token, body });
        assert.equal(status, rank >= ranks.indexOf(least) ? 200 : 403, `${role} ${method} ${path}: ${text}`);
      }
    }
    for (const [, method, path, body] of calls(target.id)) assert_error(await server.api(method, path, { body }), 401);
  });

  check("this is all of the family", async () => {
    const { paths } = (await server.get("/openapi.json")).body;
    const served = Object.entries(paths).filter(([path]) => /^\/api\/v1\/admin\/(accounts|audit)/.test(path));
    const names = served.flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    assert.deepEqual(names.sort(), calls("{id}").map(([, method, path]) => `${method} ${path}`).sort());
  });

  check("a strange id is not found, a broken one is named", async () => {
    const admin = await server.sign_in_admin();
    for (const [, method, path, body] of calls(stranger).filter(([, , path]) => path.includes(stranger)))
      assert_error(await server.api(method, path, { token: admin.token, body }), 404);
    for (const [, method, path, body] of calls("42").filter(([, , path]) => path.includes("/42")))
      assert.deepEqual(broken_fields(await server.api(method, path, { token: admin.token, body })), ["id"]);
  });

  check("broken fields are named, all at once", async () => {
    const admin = await server.sign_in_admin();
    const list = await server.get(`${accounts}?role=boss&locked=maybe&sort=age&offset=-1&limit=1000&q=`, admin.token);
    assert.deepEqual(broken_fields(list), ["limit", "locked", "offset", "q", "role", "sort"]);
    const trail = await server.get("/api/v1/admin/audit?actor=x&result=good&since=now&before=0&action=%27--", admin.token);
    assert.deepEqual(broken_fields(trail), ["action", "actor", "before", "result", "since"]);
    const { id } = await server.sign_up("broken");
    assert.deepEqual(broken_fields(await set_role(server, admin, id, "boss")), ["role"]);
    for (const reason of ["", "x".repeat(501), 5])
      assert.deepEqual(broken_fields(await server.post(`${accounts}/${id}/lock`, { reason }, admin.token)), ["reason"]);
  });
});

describe("administration", () => {
  const { server, check } = with_server({ settings: { "limits.general": "10000" } });

  check("accounts are searched, filtered, sorted and paged", async () => {
    const admin = await server.sign_in_admin();
    for (const login of ["carol", "carola", "dave"]) await server.sign_up(login);
    const find = async (query) => {
      const { status, text, body } = await server.get(`${accounts}?${query}`, admin.token);
      assert.equal(status, 200, text);
      return { logins: body.items.map((each) => each.login), ...body };
    };
    const found = await find("q=CAROL&sort=login");
    assert.deepEqual(found.logins, ["carol", "carola"]);
    assert.deepEqual([found.total, found.offset, found.limit], [2, 0, 50]);
    assert.deepEqual((await find("q=carol&sort=-login&limit=1")).logins, ["carola"]);
    assert.deepEqual((await find("q=carol&sort=login&limit=1&offset=1")).logins, ["carola"]);
    const [{ id, number }] = found.items;
    for (const text of [id, id.toUpperCase(), number]) assert.ok((await find(`q=${text}`)).logins.includes("carol"), text);
    assert.deepEqual((await find("role=super_admin")).logins, ["admin"]);
    assert.deepEqual((await find("q=dave@example.com&verified=true&locked=false&deleted=false&second_factor=false")).logins, ["dave"]);
    assert.deepEqual((await find("locked=true")).logins, []);
    assert.deepEqual((await find("q=%25")).logins, []);
  });

  check("one account, with all that gets somebody in and no secret", async () => {
    const admin = await server.sign_in_admin();
    const { id } = await server.sign_up("erin");
    await server.post("/api/v1/mobile/auth/login", { email: "erin@example.com", password, device: phone });
    await server.post("/api/v1/auth/login", { login: "erin", password: "Wrong-Horse-7-Battery" });
    const { status, text, body } = await server.get(`${accounts}/${id}`, admin.token);
    assert.equal(status, 200, text);
    assert.deepEqual(Object.keys(body).sort(), ["account", "devices", "guesses", "identities", "second_factor", "sessions"]);
    assert.equal(body.account.email, "erin@example.com");
    assert.equal(body.account.has_password, true);
    assert.equal(body.sessions.length, 2);
    assert.deepEqual([body.sessions[0].device_id, body.sessions[0].address], [phone.device_id, "127.0.0.1"]);
    assert.equal(body.devices[0].device_model, phone.device_model);
    assert.deepEqual(body.second_factor, { enabled_at: null, recovery_codes_left: 0 });
    assert.deepEqual(body.guesses, { within_hour: 1, rests_for: 0 });
    assert.doesNotMatch(text, /hash|secret|push_token/);
  });

  check("a role counts at once, and the last super_admin stays", async () => {
    const admin = await server.sign_in_admin();
    const frank = await server.sign_up("frank");
    assert_error(await server.get(accounts, frank.token), 403);
    const promoted = await set_role(server, admin, frank.id, "super_admin");
    assert.equal(promoted.body.role, "super_admin");
    assert.equal((await server.get(accounts, frank.token)).status, 200);
    assert.equal((await set_role(server, frank, frank.id, "support")).status, 200, "one steps down");
    assert_error(await set_role(server, frank, frank.id, "super_admin"), 403);
    assert_error(await set_role(server, admin, admin.id, "viewer"), 409, "LAST_SUPER_ADMIN");
    assert_error(await server.api("DELETE", "/api/v1/auth/me", { token: admin.token }), 409, "LAST_SUPER_ADMIN");
    await in_trail(server, admin, `action=user.role.change&subject=${frank.id}`, ([demoted, raised, ...more]) => {
      assert.deepEqual(raised.details, { from: "viewer", to: "super_admin" });
      assert.equal(raised.actor_login, "admin");
      assert.equal(demoted.actor, frank.id);
      assert.deepEqual(more, [], "a refusal by the permission alone is no act");
    });
    await in_trail(server, admin, `action=user.role.change&result=denied`, ([refused]) =>
      assert.deepEqual([refused.subject, refused.details.cause], [admin.id, "LAST_SUPER_ADMIN"]));
  });

  check("an admin does nothing to those above him, nor anybody locks himself", async () => {
    const admin = await server.sign_in_admin();
    const grace = await server.sign_up("grace");
    await set_role(server, admin, grace.id, "admin");
    assert_error(await server.post(`${accounts}/${admin.id}/lock`, { reason: "coup" }, grace.token), 403, "ROLE_TOO_LOW");
    assert_error(await server.api("DELETE", `${accounts}/${admin.id}/sessions`, { token: grace.token }), 403, "ROLE_TOO_LOW");
    assert_error(await server.post(`${accounts}/${admin.id}/lock`, { reason: "oops" }, admin.token), 400, "OWN_ACCOUNT");
    assert.equal((await server.get("/api/v1/auth/me", admin.token)).status, 200);
  });

  check("a locked account is out: sessions, sockets, refresh, password; unlocked it is back", async () => {
    const admin = await server.sign_in_admin();
    const heidi = await server.sign_up("heidi");
    const socket = await server.socket("/ws/notifications", heidi.token);
    const locked = await server.post(`${accounts}/${heidi.id}/lock`, { reason: "chargeback" }, admin.token);
    assert.equal(locked.status, 200, locked.text);
    assert.equal(locked.body.lock_reason, "chargeback");
    assert.equal(locked.body.is_active, false);
    assert.ok((await server.get("/api/v1/auth/me", heidi.token)).status >= 401);
    assert_error(await server.post("/api/v1/auth/refresh", { refresh_token: heidi.refresh_token }), 401);
    assert_error(await server.post("/api/v1/auth/login", { login: "heidi", password }), 401, "INVALID_CREDENTIALS");
    assert.equal((await socket.next("force_disconnect")).type, "force_disconnect");
    assert.equal((await socket.closed).code, 1008);
    const unlocked = await server.post(`${accounts}/${heidi.id}/unlock`, undefined, admin.token);
    assert.deepEqual([unlocked.body.locked_at, unlocked.body.lock_reason, unlocked.body.is_active], [null, null, true]);
    assert_error(await server.get("/api/v1/auth/me", heidi.token), 401);
    await server.sign_in("heidi");
  });

  check("unlocking ends the rest after too many guesses", async () => {
    const admin = await server.sign_in_admin();
    const ivan = await server.sign_up("ivan");
    const guess = (secret) => server.post("/api/v1/auth/login", { login: "ivan", password: secret });
    for (let i = 0; i < 5; ++i) assert_error(await guess("Wrong-Horse-7-Battery"), 401);
    assert_error(await guess(password), 423);
    const { body } = await server.get(`${accounts}/${ivan.id}`, admin.token);
    assert.equal(body.guesses.within_hour, 5);
    assert.ok(body.guesses.rests_for > 0 && body.guesses.rests_for <= 30);
    assert.equal((await server.post(`${accounts}/${ivan.id}/unlock`, undefined, admin.token)).status, 200);
    assert.equal((await guess(password)).status, 200);
  });

  check("signed out everywhere", async () => {
    const admin = await server.sign_in_admin();
    const judy = await server.sign_up("judy");
    const again = await server.sign_in("judy");
    const ended = await server.api("DELETE", `${accounts}/${judy.id}/sessions`, { token: admin.token });
    assert.deepEqual(ended.body, { sessions_ended: 2 });
    for (const { token } of [judy, again]) assert_error(await server.get("/api/v1/auth/me", token), 401);
    await server.sign_in("judy");
  });
});

describe("the trail", () => {
  const { server, check } = with_server({ settings: { "limits.general": "10000", "http.trusted_proxies": "127.0.0.1" } });

  check("tells the story of an account, without a secret", async () => {
    const admin = await server.sign_in_admin();
    const from = { "x-forwarded-for": "203.0.113.9", "user-agent": "a curious browser" };
    const mallory = await server.sign_up("mallory");
    const login = (secret) => server.post("/api/v1/auth/login", { login: "mallory", password: secret }, undefined, from);
    assert_error(await login("Wrong-Horse-7-Battery"), 401);
    const { body: first } = await login(password);
    const refresh = (token) => server.post("/api/v1/auth/refresh", { refresh_token: token }, undefined, from);
    const { body: second } = await refresh(first.refresh_token);
    await server.get("/api/v1/auth/me", second.access_token);
    const { body: third } = await refresh(second.refresh_token);
    await server.get("/api/v1/auth/me", third.access_token);
    assert_error(await refresh(first.refresh_token), 401);
    await server.post("/api/v1/auth/logout", { refresh_token: mallory.refresh_token });
    await server.post("/api/v1/auth/logout", { refresh_token: mallory.refresh_token });
    assert_error(await server.post("/api/v1/auth/verify-otp", { email: "mallory@example.com", code: "000000" }), 400);

    const expected = [
      ["auth.login.failed", "failure", { way: "mailed_code" }],
      ["auth.logout", "success", {}],
      ["security.token.invalid", "denied", { cause: "an old refresh token was replayed" }],
      ["auth.login.success", "success", { way: "password" }],
      ["auth.login.failed", "failure", { way: "password" }],
      ["auth.login.success", "success", { way: "mailed_code" }],
      ["user.create", "success", { way: "registration" }],
    ];
    const sorted = (rows) => rows.map((row) => JSON.stringify(row)).sort();
    const items = await in_trail(server, admin, `subject=${mallory.id}`, (items) => {
      assert.deepEqual(sorted(items.map(({ action, result, details }) => [action, result, details])), sorted(expected));
      return items;
    });
    const failed = items.find((each) => each.action === "auth.login.failed" && each.details.way === "password");
    assert.deepEqual(Object.keys(failed), [
      ...["id", "at", "action", "result", "actor", "actor_login", "subject", "subject_login", "resource"],
      ...["address", "user_agent", "request_id", "details"],
    ]);
    assert.deepEqual([failed.actor, failed.subject_login], [null, "mallory"]);
    assert.deepEqual([failed.address, failed.user_agent], ["203.0.113.9", "a curious browser"]);
    assert.ok(failed.request_id);
    const text = JSON.stringify(items);
    for (const secret of ["Horse", first.refresh_token, third.access_token, "000000"]) assert.ok(!text.includes(secret));
  });

  check("an unknown identifier leaves a trace, but not itself: people type passwords there", async () => {
    const admin = await server.sign_in_admin();
    assert_error(await server.post("/api/v1/auth/login", { login: "My-Secret-Horse-1", password }), 401);
    await in_trail(server, admin, "action=auth.login.failed&limit=1", ([newest]) => {
      assert.equal(newest.subject, null);
      assert.ok(!JSON.stringify(newest).includes("Horse"));
    });
  });

  check("is filtered by time and read page by page", async () => {
    const admin = await server.sign_in_admin();
    const read = async (query) => (await server.get(`/api/v1/admin/audit?${query}`, admin.token)).body;
    const all = await read("limit=200");
    assert.equal(all.next, null);
    assert.ok(all.items.length >= 10);
    const pages = [];
    for (let before = ""; ; ) {
      const page = await read(`limit=3${before}`);
      assert.ok(page.items.length <= 3);
      pages.push(...page.items);
      if (page.next === null) break;
      before = `&before=${page.next}`;
    }
    assert.deepEqual(pages.map(({ id }) => id), all.items.map(({ id }) => id));
    assert.deepEqual((await read("since=2999-01-01T00:00:00Z")).items, []);
    assert.equal((await read("until=2999-01-01T00:00:00Z&limit=200")).items.length, all.items.length);
    assert.ok((await read(`actor=${admin.id}&action=auth`)).items.every((each) => each.actor === admin.id && each.action.startsWith("auth.")));
  });

  check("the first administrator is in it, and a weak password makes none", async () => {
    const weak = await run(["create-admin", "root@example.com", ...server.arguments, ...set({ environment: "development" })], { input: "password1\n" });
    assert.equal(weak.code, 64, weak.err);
    assert.match(weak.err, /the password/);
    const made = await run(["create-admin", "root@example.com", ...server.arguments, ...set({ environment: "development" })], { input: password + "\n" });
    assert.equal(made.code, 0, made.err);
    const admin = await server.sign_in_admin();
    await in_trail(server, admin, "action=user.create", ([newest]) => {
      assert.deepEqual(newest.details, { way: "create-admin", role: "super_admin" });
      assert.equal(newest.subject_login, "root");
    });
    const doctor = await run(["doctor", "accounts", ...server.arguments, ...set({ environment: "development" })]);
    assert.equal(doctor.code, 0, doctor.out);
    assert.match(doctor.out, /every account has a way in/);
  });
});
