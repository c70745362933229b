// The life of an account: forgotten passwords, links, changes, devices, its end; and the whole connect family.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { assert_as_agreed } from "./contract.js";
import { assert_error, broken_fields, eventually, free_ports, password, phone, with_server } from "./server.js";

const generous = {
  "limits.general": "100000",
  "limits.mail_per_minute": "100000",
  "limits.mail_per_hour": "100000",
  "limits.guess_per_minute": "10000",
  "limits.guess_per_hour": "10000",
};

const new_password = "Another-Horse-8-Battery";

/** The mails to an address, the newest first. */
async function mails(server, email) {
  return (await server.control("GET", `mail?to=${encodeURIComponent(email)}`)).items;
}

/** Waits for a mail with a link whose path holds `page`, and returns the link's token. */
async function mailed_token(server, email, page) {
  return eventually(async () => {
    const links = (await mails(server, email)).map(({ text }) => text.match(/https?:\/\/\S+/)?.[0]);
    const found = links.find((each) => each?.includes(page));
    assert.ok(found, `no link to ${page} for ${email}`);
    return found.match(/[=/]([\w-]{43})$/)[1];
  });
}

const me = (server, token) => server.get("/api/v1/auth/me", token);

describe("forgotten passwords and links", () => {
  const { server, check } = with_server({ settings: generous });
  const forgot = (email) => server.post("/api/v1/auth/forgot-password", { email });
  const reset = (body) => server.post("/api/v1/auth/reset-password", { new_password, ...body });
  const ask_link = (email, path = "/api/v1/auth/magic-link") => server.post(path, { email });
  const use_link = (token) => server.post("/api/v1/auth/magic-link/verify", { token });

  check("a mailed code sets a new password and ends every session", async () => {
    const ada = await server.sign_up("ada_code");
    assert_as_agreed("mobile", "POST", "/api/v1/auth/forgot-password", await forgot(ada.email));
    const code = await eventually(async () => {
      const [newest] = await mails(server, ada.email);
      assert.equal(newest.subject, "Set a new password");
      return newest.text.match(/\b\d{6}\b/)[0];
    });
    const wrong = code === "000000" ? "111111" : "000000";
    const refused = assert_error(await reset({ email: ada.email, code: wrong }), 400, "OTP_INVALID");
    assert.equal(refused.error.details.attempts_remaining, 4);
    assert_as_agreed("mobile", "POST", "/api/v1/auth/reset-password", await reset({ email: ada.email, code }));
    assert_error(await me(server, ada.token), 401);
    assert_error(await server.post("/api/v1/auth/refresh", { refresh_token: ada.refresh_token }), 401);
    assert_error(await server.post("/api/v1/auth/login", { email: ada.email, password }), 401);
    await server.sign_in(ada.email, new_password);
    assert_error(await reset({ email: ada.email, code }), 400, "OTP_NOT_FOUND");
    await eventually(async () => assert.equal((await mails(server, ada.email))[0].subject, "Your password was changed"));
  });

  check("a mailed link does the same, once", async () => {
    const ada = await server.sign_up("ada_link");
    await forgot(ada.email);
    const token = await mailed_token(server, ada.email, "/reset-password");
    const tries = await Promise.all(Array.from({ length: 8 }, (_, i) => reset(i % 2 ? { token } : { reset_token: token })));
    assert.equal(tries.filter(({ status }) => status === 200).length, 1);
    for (const lost of tries.filter(({ status }) => status !== 200)) assert_error(lost, 400, "INVALID_TOKEN");
    await server.sign_in(ada.email, new_password);
  });

  check("a weak password is refused and the link stays good", async () => {
    const ada = await server.sign_up("ada_weak");
    await forgot(ada.email);
    const token = await mailed_token(server, ada.email, "/reset-password");
    assert.deepEqual(broken_fields(await reset({ token, new_password: "short" })), ["new_password"]);
    assert.deepEqual(broken_fields(await reset({ token, new_password: "Xx-ada_weak-12345" })), ["new_password"]);
    assert.equal((await reset({ token })).status, 200);
  });

  check("bad input is named, whatever it is", async () => {
    assert.deepEqual(broken_fields(await forgot("nobody")), ["email"]);
    assert.deepEqual(broken_fields(await forgot("ad\u212a@example.com")), ["email"]);
    assert.deepEqual(broken_fields(await forgot(undefined)), ["email"]);
    assert.deepEqual(broken_fields(await ask_link("a@b@c")), ["email"]);
    assert.deepEqual(broken_fields(await reset({ email: "a@example.com", code: "12345" })), ["code"]);
    assert.deepEqual(broken_fields(await reset({})), ["token"]);
    assert.deepEqual(broken_fields(await reset({ email: "a@example.com" })), ["token"]);
    assert_error(await reset({ token: "x".repeat(43) }), 400, "INVALID_TOKEN");
    assert_error(await use_link("x".repeat(43)), 400, "INVALID_TOKEN");
    assert.deepEqual(broken_fields(await use_link("x".repeat(201))), ["token"]);
  });

  check("a magic link signs in, once, and makes an account where there is none", async () => {
    const ada = await server.sign_up("ada_magic");
    assert_as_agreed("mobile", "POST", "/api/v1/auth/magic-link", await ask_link(ada.email));
    const token = await mailed_token(server, ada.email, "/magic-link/verify");
    const tries = await Promise.all(Array.from({ length: 8 }, () => use_link(token)));
    const won = tries.filter(({ status }) => status === 200);
    assert.equal(won.length, 1);
    assert_as_agreed("mobile", "POST", "/api/v1/auth/magic-link/verify", won[0]);
    assert.equal(won[0].body.is_new_user, false);
    assert.equal((await me(server, won[0].body.access_token)).body.id, ada.id);

    const stranger = "somebody.new@example.com";
    await ask_link(stranger, "/api/v1/auth/magic-link/request");
    const made = await use_link(await mailed_token(server, stranger, "/magic-link/verify"));
    assert.equal(made.status, 200, made.text);
    assert.equal(made.body.is_new_user, true);
    assert.equal(made.body.user.login, "somebody_new");
    assert.equal(made.body.user.is_email_verified, true);
    assert.equal(made.body.user.has_password, false);
    await forgot(stranger);
    assert.equal((await reset({ token: await mailed_token(server, stranger, "/reset-password") })).status, 200);
    await server.sign_in(stranger, new_password);
  });

  check("known, unknown, unverified and deleted addresses get the same answer", async () => {
    const known = await server.sign_up("ada_known");
    const deleted = await server.sign_up("ada_gone");
    assert.equal((await server.api("DELETE", "/api/v1/auth/me", { token: deleted.token })).status, 200);
    const unverified = { email: "ada_new@example.com" };
    await server.post("/api/v1/auth/register", { login: "ada_new", ...unverified, password, tos_accepted: true });
    const addresses = [known.email, unverified.email, deleted.email, "nobody.at.all@example.com"];
    const seen = async (path, email) => {
      const { status, text, headers } = await server.post(path, { email });
      const ignored = ["date", "x-request-id"];
      const shown = [...headers].filter(([name]) => !ignored.includes(name)).map((each) => each.join(": "));
      return { status, headers: shown, text: text.replace(/\d{4}-\d\d-\d\dT[^"]*/, "TIME") };
    };
    for (const path of [
      "/api/v1/auth/forgot-password",
      "/api/v1/auth/magic-link",
      "/api/v1/auth/resend-otp",
      "/v1/auth/forgot-password",
      "/v1/auth/verify-email",
    ]) {
      const [first, ...others] = await Promise.all(addresses.map((email) => seen(path, email)));
      assert.equal(first.status, 200, path);
      for (const other of others) assert.deepEqual(other, first, path);
    }
    const mailed = async (email) => (await mails(server, email)).map(({ subject }) => subject).sort();
    await eventually(async () => {
      assert.deepEqual(await mailed(known.email), [
        "Set a new password", "Set a new password", "Your sign-in link", "Your verification code",
      ]);
      assert.deepEqual(await mailed("nobody.at.all@example.com"), ["Your sign-in link"]);
    });
    assert.deepEqual(await mailed(deleted.email), ["Your account was deleted", "Your verification code"]);
  });
});

describe("what is counted for an address", () => {
  const { server, check } = with_server({ settings: { "registration.enabled": "false" } });

  check("mails rest after five a minute, and so do those of strangers", async () => {
    for (const email of [server.demo_admin.email, "nobody@example.com"]) {
      for (let i = 0; i < 5; ++i) assert.equal((await server.post("/api/v1/auth/forgot-password", { email })).status, 200);
      for (const path of ["/api/v1/auth/forgot-password", "/api/v1/auth/magic-link", "/v1/auth/verify-email"])
        assert_error(await server.post(path, { email: email.toUpperCase() }), 429, "RATE_LIMITED");
    }
  });

  check("nobody is registered where that is switched off", async () => {
    const email = "new@example.com";
    assert.equal((await server.post("/api/v1/auth/magic-link", { email })).status, 200);
    assert_error(await server.post("/v1/auth/register", { email, password }), 403, "REGISTRATION_DISABLED");
    assert.deepEqual(await mails(server, email), []);
  });
});

describe("an owner's account", () => {
  const { server, check } = with_server({ settings: generous });
  const change = (token, body) => server.api("PATCH", "/api/v1/auth/me", { token, body });

  check("name, language and notifications change as they are given", async () => {
    const ada = await server.sign_up("ada_owner");
    const changed = await change(ada.token, {
      login: "Ada_Owner_2",
      display_name: "Ada Lovelace",
      locale: "ru-RU",
      notification_preferences: { promotional: { push: false, email: false, in_app: true } },
    });
    assert_as_agreed("mobile", "PATCH", "/api/v1/auth/me", changed);
    const { body } = await me(server, ada.token);
    assert.equal(body.login, "Ada_Owner_2");
    assert.equal(body.display_name, "Ada Lovelace");
    assert.deepEqual(body.notification_preferences, { promotional: { push: false, email: false, in_app: true } });
    await change(ada.token, { display_name: "Ada" });
    assert.equal((await me(server, ada.token)).body.locale, "ru-RU");
    await server.sign_up("ada_other");
    assert_error(await change(ada.token, { login: "ADA_OTHER" }), 409, "LOGIN_EXISTS");
    assert_error(await change(ada.token, { email: "ADA_OTHER@example.com" }), 409, "EMAIL_EXISTS");
    const broken = await change(ada.token, {
      login: "a b", email: "x", locale: "?!", display_name: "",
      notification_preferences: { moon: {}, promotional: { push: 1 } },
    });
    assert.deepEqual(broken_fields(broken), [
      "display_name", "email", "notification_preferences.moon", "notification_preferences.promotional.email",
      "notification_preferences.promotional.in_app", "notification_preferences.promotional.push",
    ]);
    assert.deepEqual(broken_fields(await change(ada.token, { login: "a b", locale: "?!" })), ["locale", "login"]);
    assert_error(await server.api("PATCH", "/api/v1/auth/me", { body: {} }), 401);
  });

  check("a new address counts once its code is shown by its owner", async () => {
    const ada = await server.sign_up("ada_mover");
    const stranger = await server.sign_up("ada_stranger");
    const email = "ada.moved@example.com";
    const waiting = await change(ada.token, { email });
    assert.equal(waiting.status, 200, waiting.text);
    assert.equal(waiting.body.email, email);
    assert.equal(waiting.body.is_email_verified, false);
    assert.equal(waiting.body.confirmed_email, ada.email);
    await server.sign_in(ada.email);
    assert_error(await server.post("/api/v1/auth/login", { email, password }), 401);

    const code = await server.mailed_code(email);
    const confirm = (token) => server.post("/api/v1/auth/verify-email", { email, code }, token);
    assert_error(await confirm(undefined), 403, "SIGN_IN_REQUIRED");
    assert_error(await confirm(stranger.token), 403, "SIGN_IN_REQUIRED");
    const confirmed = await confirm(ada.token);
    assert.equal(confirmed.status, 200, confirmed.text);
    assert.equal(confirmed.body.user.email, email);
    assert.equal(confirmed.body.user.is_email_verified, true);
    assert.equal(confirmed.body.user.confirmed_email, null);
    await server.sign_in(email);
    assert_error(await server.post("/api/v1/auth/login", { email: ada.email, password }), 401);
    await eventually(async () =>
      assert.equal((await mails(server, ada.email))[0].subject, "Your e-mail address was changed"));

    await change(ada.token, { email: "typo@example.com" });
    assert.equal((await change(ada.token, { email })).body.confirmed_email, null);
  });

  check("everybody can be signed out at once", async () => {
    const ada = await server.sign_up("ada_everywhere");
    const other = await server.sign_in(ada.email);
    const answer = await server.post("/api/v1/auth/logout-all", undefined, ada.token);
    assert_as_agreed("mobile", "POST", "/api/v1/auth/logout-all", answer);
    assert.equal(answer.body.sessions_revoked, 2);
    for (const token of [ada.token, other.token]) assert_error(await me(server, token), 401);
    assert_error(await server.post("/api/v1/auth/refresh", { refresh_token: other.refresh_token }), 401);
  });

  check("devices are listed, named and removed with their sessions", async () => {
    const ada = await server.sign_up("ada_devices");
    const login = await server.post("/api/v1/mobile/auth/login", { email: ada.email, password, device: phone });
    const { access_token: on_phone } = login.body.tokens;
    const list = async (token) => (await server.get("/api/v1/auth/me/devices", token)).body;
    assert_as_agreed("mobile", "GET", "/api/v1/auth/me/devices", await server.get("/api/v1/auth/me/devices", on_phone));
    assert.equal((await list(on_phone))[0].is_current, true);
    assert.equal((await list(on_phone))[0].name, "Pixel 8");

    const device_id = "11111111-2222-4333-8444-555555555555";
    const added = await server.post("/api/v1/auth/me/devices", { device_id, device_name: "Desk", os: "linux" }, ada.token);
    assert_as_agreed("mobile", "POST", "/api/v1/auth/me/devices", added);
    assert.equal(added.body.is_current, true);
    const described = await server.post("/api/v1/mobile/auth/device", { device: { ...phone, device_id } }, ada.token);
    assert_as_agreed("mobile", "POST", "/api/v1/mobile/auth/device", described);
    assert.equal((await list(ada.token)).length, 2);
    assert.equal((await server.get("/api/v1/auth/me/devices?per_page=1&page=2", ada.token)).body.length, 1);

    const remove = (id, token) => server.api("DELETE", `/api/v1/auth/me/devices/${id}`, { token });
    const stranger = await server.sign_up("ada_thief");
    assert_error(await remove(phone.device_id, stranger.token), 404);
    const removed = await remove(phone.device_id, ada.token);
    assert_as_agreed("mobile", "DELETE", "/api/v1/auth/me/devices/{id}", removed);
    assert.deepEqual(removed.body, {});
    assert_error(await me(server, on_phone), 401);
    assert_error(await remove(phone.device_id, ada.token), 404);
    assert.equal((await me(server, ada.token)).status, 200);
    assert.deepEqual(broken_fields(await server.post("/api/v1/auth/me/devices", { device_id: "x" }, ada.token)), [
      "device_id", "device_name", "os",
    ]);
    assert.deepEqual(broken_fields(await server.post("/api/v1/mobile/auth/device", {}, ada.token)), ["device"]);
  });

  check("push tokens are taken under either name", async () => {
    const ada = await server.sign_up("ada_push");
    const keep = (body) => server.post("/api/v1/auth/me/fcm-token", body, ada.token);
    const agreed = await keep({ fcm_token: "t1", platform: "android", device_id: phone.device_id });
    assert.equal(agreed.status, 204);
    assert_as_agreed("mobile", "POST", "/api/v1/auth/me/fcm-token", agreed);
    assert.equal((await keep({ token: "t2", platform: "ios" })).status, 204);
    assert.deepEqual(broken_fields(await keep({ platform: "palm" })), ["fcm_token", "platform"]);
    assert_error(await server.post("/api/v1/auth/me/fcm-token", {}), 401);
  });

  check("the phone's own view has the subscription", async () => {
    const ada = await server.sign_up("ada_viewer");
    const answer = await server.get("/api/v1/mobile/auth/me", ada.token);
    assert_as_agreed("mobile", "GET", "/api/v1/mobile/auth/me", answer);
    assert.equal(answer.body.subscription.status, "none");
    assert.equal(answer.body.username, ada.login);
    assert_error(await server.get("/api/v1/mobile/auth/me"), 401);
  });
});

describe("the end of an account", () => {
  const { server, check } = with_server({ settings: generous });
  const remove = (who) => server.api("DELETE", "/api/v1/auth/me", { token: who.token });
  const remove_with = (who, body) => server.post("/api/v1/auth/me/delete", body, who.token);

  check("nobody signs in to a deleted account, and its name stays taken", async () => {
    const ada = await server.sign_up("ada_deleted");
    const other = await server.sign_in(ada.email);
    assert_as_agreed("mobile", "DELETE", "/api/v1/auth/me", await remove(ada));
    for (const token of [ada.token, other.token]) assert_error(await me(server, token), 401);
    assert_error(await remove(ada), 401);
    assert_error(await server.post("/api/v1/auth/login", { email: ada.email, password }), 401);
    const again = { login: "ada_deleted", email: ada.email, password, tos_accepted: true };
    assert_error(await server.post("/api/v1/auth/register", again), 409);
    await eventually(async () => assert.equal((await mails(server, ada.email))[0].subject, "Your account was deleted"));
  });

  check("the other way wants the password", async () => {
    const ada = await server.sign_up("ada_careful");
    assert_error(await remove_with(ada, { password: "wrong" }), 403, "INVALID_PASSWORD");
    assert_error(await remove_with(ada, {}), 403, "INVALID_PASSWORD");
    assert.equal((await me(server, ada.token)).status, 200);
    assert.equal((await remove_with(ada, { password })).status, 200);
    assert_error(await me(server, ada.token), 401);
  });

  check("after 30 days what is personal is gone", async () => {
    const ada = await server.sign_up("ada_forgotten");
    await remove(ada);
    await server.stop();
    await server.start();
    const register = () =>
      server.post("/api/v1/auth/register", { login: ada.login, email: ada.email, password, tos_accepted: true });
    assert_error(await register(), 409);
    await server.control("POST", "clock", { offset_seconds: 31 * 86_400 });
    await eventually(async () => assert.equal((await register()).status, 201), 90);
  });
});

describe("the connect family", () => {
  const { server, check } = with_server({ settings: generous });
  const email = "ada@example.com";
  const strong = "Purple-Horse-7";
  const register = (body) => server.post("/v1/auth/register", { email, password: strong, full_name: "Ada L.", ...body });
  const login = (body, headers) => server.post("/v1/auth/login", body, undefined, headers);
  const assert_connect_error = (answer, ...expected) => {
    const body = assert_error(answer, ...expected);
    assert.equal(body.message, body.detail);
    return body;
  };
  let session;

  check("registering signs in and mails a link", async () => {
    const answer = await register();
    assert_as_agreed("connect", "POST", "/v1/auth/register", answer);
    assert.equal(answer.body.user.email, email);
    assert.equal(answer.body.user.full_name, "Ada L.");
    assert.equal(answer.body.user.is_email_verified, false);
    assert.match(answer.body.user.updated_at, /Z$/);
    session = answer.body;
    assert_connect_error(await register(), 409, "EMAIL_EXISTS");
    const weak = assert_connect_error(await register({ email: "b@example.com", password: "weak" }), 422);
    assert.match(weak.message, /password: .*8 characters/);
    assert.deepEqual(broken_fields(await register({ email: undefined })), ["email"]);
  });

  check("the mailed link confirms the address, in JSON and in a browser", async () => {
    const token = await mailed_token(server, email, "/v1/auth/verify-email/");
    const open = (headers) => server.api("GET", `/v1/auth/verify-email/${token}`, { headers });
    const page = await open({ accept: "text/html,application/xhtml+xml" });
    assert.equal(page.status, 200);
    assert.match(page.headers.get("content-type"), /^text\/html/);
    assert_as_agreed("connect", "GET", "/v1/auth/verify-email/{token}", await open({ accept: "application/json" }));
    assert.equal((await me(server, session.access_token)).body.is_email_verified, true);
    assert_connect_error(await server.get("/v1/auth/verify-email/nothing"), 400, "INVALID_TOKEN");
    assert_as_agreed("connect", "POST", "/v1/auth/verify-email", await server.post("/v1/auth/verify-email", { email }));
    assert.deepEqual(broken_fields(await server.post("/v1/auth/verify-email", { email: "x" })), ["email"]);
  });

  check("signing in takes JSON and forms", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const body = new URLSearchParams({ username: email, password: strong, grant_type: "password" }).toString();
    assert_as_agreed("connect", "POST", "/v1/auth/login", await login(body, form));
    assert.equal((await login({ email, password: strong })).status, 200);
    assert.equal((await login({ username: email, password: strong })).status, 200);
    assert_connect_error(await login({ email, password: "wrong" }), 401, "INVALID_CREDENTIALS");
    assert_connect_error(await login({}), 422);
  });

  check("refreshing ignores the expired bearer and signing out ends the session", async () => {
    const headers = { authorization: "Bearer expired" };
    const refreshed = await server.post("/v1/auth/refresh", { refresh_token: session.refresh_token }, undefined, headers);
    assert_as_agreed("connect", "POST", "/v1/auth/refresh", refreshed);
    assert.notEqual(refreshed.body.refresh_token, session.refresh_token);
    const { access_token, refresh_token } = refreshed.body;
    assert_connect_error(await server.post("/v1/auth/refresh", { refresh_token: access_token }), 401);
    assert_as_agreed("connect", "POST", "/v1/auth/logout", await server.post("/v1/auth/logout", undefined, access_token));
    assert_connect_error(await server.post("/v1/auth/logout", undefined, access_token), 401);
    assert_connect_error(await server.post("/v1/auth/refresh", { refresh_token }), 401);
  });

  check("a forgotten password is set by the link's token", async () => {
    const forgotten = await server.post("/v1/auth/forgot-password", { email });
    assert_as_agreed("connect", "POST", "/v1/auth/forgot-password", forgotten);
    const token = await mailed_token(server, email, "/reset-password");
    const reset = (body) => server.post("/v1/auth/reset-password", { token, new_password: "Orange-Horse-8", ...body });
    const before = (await login({ email, password: strong })).body;
    assert_connect_error(await reset({ new_password: "nokinds" }), 422);
    assert_connect_error(await reset({ token: before.access_token.slice(0, 200) }), 400, "INVALID_TOKEN");
    assert_as_agreed("connect", "POST", "/v1/auth/reset-password", await reset());
    assert_connect_error(await reset(), 400, "INVALID_TOKEN");
    assert_connect_error(await server.post("/v1/auth/refresh", { refresh_token: before.refresh_token }), 401);
    assert.equal((await login({ email, password: "Orange-Horse-8" })).status, 200);
  });
});

describe("too many wrong passwords", () => {
  const { server, check } = with_server({});

  check("are 429 in the connect family and 423 elsewhere", async () => {
    for (const identifier of [server.demo_admin.email, "nobody@example.com"]) {
      const guess = (path) => server.post(path, { email: identifier, password: "wrong" });
      for (let i = 0; i < 5; ++i) assert_error(await guess("/v1/auth/login"), 401);
      assert.match(assert_error(await guess("/v1/auth/login"), 429).message, /Try again in/);
      assert_error(await guess("/api/v1/auth/login"), 423);
    }
  });
});

const [smtp_port] = await free_ports(1);

describe("mail by SMTP", () => {
  const settings = { ...generous, "mail.transport": "smtp", "sandbox.smtp_port": smtp_port };
  const { server, check } = with_server({ settings });

  check("a code arrives, in Russian too, and a mail that fails fails no request", async () => {
    const ada = await server.sign_up("ada_smtp");
    assert.equal((await mails(server, ada.email))[0].transport, "smtp");
    await server.api("PATCH", "/api/v1/auth/me", { token: ada.token, body: { locale: "ru" } });
    await server.control("POST", "faults", { system: "mail", error_rate: 1 });
    assert.equal((await server.post("/api/v1/auth/forgot-password", { email: ada.email })).status, 200);
    await eventually(() => assert.match(server.log, /a mail was not sent/));
    await server.control("POST", "faults", { system: "mail", error_rate: 0 });
    await server.control("POST", "clock", { offset_seconds: 60 });
    await eventually(async () => {
      const [newest] = await mails(server, ada.email);
      assert.equal(newest.subject, "Новый пароль");
      assert.match(newest.text, /\b\d{6}\b/);
      assert.match(newest.html, /<a href="http/);
    });
  });
});
