// Signing in by outside providers and by Telegram, linking and unlinking, against the sandbox's fakes.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { describe } from "node:test";

import { assert_as_agreed } from "./contract.js";
import { assert_error, broken_fields, phone, with_server } from "./server.js";

const callback = "cybervpn://oauth/callback";
const providers = ["github", "google", "discord", "apple", "microsoft", "twitter"];
const bot_token = "7000000001:sandbox-telegram"; // as the sandbox has it; see integrations/sandbox/companion.cpp
const bot_api_secret = "bot-api-secret-of-the-test";

const seconds = () => Math.floor(Date.now() / 1000);
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64");

/** Telegram's signature of names and values. */
function sign(key, fields) {
  const lines = Object.keys(fields).sort().map((name) => `${name}=${fields[name]}`);
  return createHmac("sha256", key).update(lines.join("\n")).digest("hex");
}

let widgets = 0; // no two are the same: each counts once

function widget_of(person, token = bot_token) {
  const fields = { first_name: `Grace ${++widgets}`, auth_date: seconds(), ...person };
  return { ...fields, hash: sign(createHash("sha256").update(token).digest(), fields) };
}

function init_data_of(user, { auth_date = seconds(), token = bot_token } = {}) {
  const fields = { query_id: "AAHdF6IQAAAAAN0X", user: JSON.stringify({ first_name: "Grace", ...user }), auth_date };
  const key = createHmac("sha256", "WebAppData").update(token).digest();
  return new URLSearchParams({ ...fields, hash: sign(key, fields) }).toString();
}

/** The browser's part: goes to the provider, where somebody agrees at once, and tells what it brings back. */
async function agree(authorize_url) {
  const page = await fetch(authorize_url, { redirect: "manual" });
  const text = await page.text();
  assert.ok([200, 302].includes(page.status), `${page.status} ${text}`);
  const hidden = (name) => text.match(new RegExp(`name="${name}" value="([^"]*)"`))[1];
  if (page.status === 200) return { code: hidden("code"), state: hidden("state") }; // Apple posts a form
  const back = new URL(page.headers.get("location"));
  return { code: back.searchParams.get("code"), state: back.searchParams.get("state") };
}

describe("signing in by providers", () => {
  const generous = { "limits.general": "100000", "telegram.bot_name": "sandbox_bot", "telegram.bot_api_secret": bot_api_secret };
  const { server, check } = with_server({ settings: generous });
  const oauth = "/api/v1/oauth";
  const query = (values) => "?" + new URLSearchParams(values);
  const person = (provider, who) => server.control("POST", `${provider}/person`, who);
  const me = async (token) => (await server.get("/api/v1/auth/me", token)).body;
  const at_telegram = (path, body, token) => server.post(`/api/v1/${path}`, body, token);
  const by_mini_app = (init_data) => at_telegram("auth/telegram/miniapp", { init_data });
  const by_widget = (widget, device = phone) =>
    at_telegram("mobile/auth/telegram/callback", { auth_data: typeof widget === "string" ? widget : base64(widget), device });
  const unlink = (provider, token) => server.api("DELETE", `${oauth}/${provider}`, { token });
  let next_id = 1000;

  const begin = (provider, redirect_uri = callback) => server.get(`${oauth}/${provider}/login${query({ redirect_uri })}`);
  const finish = (provider, back, redirect_uri = callback) =>
    server.post(`${oauth}/${provider}/login/callback`, { ...back, redirect_uri });

  async function sign_in_by(provider, who) {
    await person(provider, who);
    const begun = await begin(provider);
    assert.equal(begun.status, 200, begun.text);
    const back = await agree(begun.body.authorize_url);
    assert.equal(back.state, begun.body.state);
    return finish(provider, back);
  }

  async function link(provider, token, who) {
    await person(provider, who);
    const begun = await server.get(`${oauth}/${provider}/authorize${query({ redirect_uri: callback })}`, token);
    assert.equal(begun.status, 200, begun.text);
    return server.post(`${oauth}/${provider}/callback`, { ...(await agree(begun.body.authorize_url)), redirect_uri: callback }, token);
  }

  check("every provider makes an account and finds it again", async () => {
    for (const provider of providers) {
      const who = { id: String(++next_id), username: `${provider}_fan`, name: "A Fan", email: `${provider}@example.com` };
      const first = await sign_in_by(provider, who);
      assert_as_agreed("mobile", "POST", "/api/v1/oauth/{provider}/login/callback", first);
      assert.equal(first.body.is_new_user, true);
      assert.equal(first.body.requires_2fa, false);
      assert.equal(first.body.expires_in, 900);
      assert.equal(first.body.user.email, who.email);
      assert.equal(first.body.user.is_email_verified, true);
      assert.equal(first.body.user.role, "viewer");
      const again = await sign_in_by(provider, who);
      assert.equal(again.body.is_new_user, false);
      assert.equal(again.body.user.id, first.body.user.id);
      const refreshed = await server.post("/api/v1/auth/refresh", { refresh_token: again.body.refresh_token });
      assert.equal(refreshed.status, 200, refreshed.text);
    }
  });

  check("a sign-in begins with a state of its own and encoded parameters", async () => {
    const redirect_uri = `${callback}?provider=github`;
    const begun = assert_as_agreed("mobile", "GET", "/api/v1/oauth/{provider}/login", await begin("github", redirect_uri));
    assert.match(begun.body.state, /^[\w-]{43}$/);
    assert.ok(begun.body.authorize_url.length <= 2000);
    assert.ok(begun.body.authorize_url.includes(`redirect_uri=${encodeURIComponent(redirect_uri)}`));
    const sent = new URL(begun.body.authorize_url).searchParams;
    assert.equal(sent.get("state"), begun.body.state);
    assert.equal(sent.get("code_challenge_method"), "S256");
    assert.equal(sent.get("code_challenge").length, 43);
    assert.notEqual((await begin("github")).body.state, begun.body.state);
  });

  check("bad input is named", async () => {
    assert.deepEqual(broken_fields(await server.get(`${oauth}/github/login`)), ["redirect_uri"]);
    assert.deepEqual(broken_fields(await begin("github", "https://evil.example/")), ["redirect_uri"]);
    assert.deepEqual(broken_fields(await begin("myspace")), ["provider"]);
    assert_error(await begin("telegram"), 400, "PROVIDER_HAS_NO_LOGIN");
    assert_error(await finish("telegram", { code: "c", state: "s" }), 400, "PROVIDER_HAS_NO_LOGIN");
    assert.deepEqual(broken_fields(await server.post(`${oauth}/github/login/callback`, {})), ["code", "redirect_uri", "state"]);
    assert.deepEqual(broken_fields(await unlink("myspace", (await server.sign_up("badinput")).token)), ["provider"]);
    for (const path of ["telegram/authorize", "github/authorize", "github/callback", "telegram/callback"])
      assert_error(await server.get(`${oauth}/${path}`), 401);
    assert_error(await unlink("github"), 401);
  });

  check("state and code are good once and only together", async () => {
    await person("google", { id: String(++next_id), email: null });
    const begun = (await begin("google")).body;
    const back = await agree(begun.authorize_url);
    assert_error(await finish("google", { ...back, state: "x".repeat(43) }), 401, "OAUTH_STATE_INVALID");
    assert_error(await finish("github", back), 401, "OAUTH_STATE_INVALID");
    assert_error(await finish("google", back, `${callback}?provider=google`), 401, "OAUTH_STATE_INVALID");
    const elsewhere = await agree((await begin("google")).body.authorize_url);
    assert_error(await finish("google", { ...back, code: elsewhere.code }), 401, "OAUTH_FAILED"); // another challenge
    const tries = await Promise.all(Array.from({ length: 64 }, () => finish("google", back)));
    assert.deepEqual([...new Set(tries.map(({ status }) => status))].sort(), [200, 401]);
    assert.equal(tries.filter(({ status }) => status === 200).length, 1);
    assert_error(await finish("google", back), 401, "OAUTH_STATE_INVALID");
  });

  check("a state ends after ten minutes", async () => {
    const back = await agree((await begin("github")).body.authorize_url);
    await server.control("POST", "clock", { advance_seconds: 601 });
    try {
      assert_error(await finish("github", back), 401, "OAUTH_STATE_INVALID");
    } finally {
      await server.control("POST", "clock", { offset_seconds: 0 });
    }
  });

  check("an account is joined only if both sides have verified the address", async () => {
    const ada = await server.sign_up("joined_ada");
    const joined = await sign_in_by("discord", { id: String(++next_id), email: "Joined_Ada@example.com" });
    assert.equal(joined.body.user.id, ada.id);
    assert.equal(joined.body.is_new_user, false);
    const unverified = { id: String(++next_id), email: ada.email, email_verified: false };
    for (const provider of ["github", "apple", "microsoft", "google"])
      assert_error(await sign_in_by(provider, unverified), 409, "EMAIL_EXISTS");
    const email = "pending@example.com"; // registered, never verified
    await server.post("/api/v1/auth/register", { login: "pending", email, password: "Correct-Horse-7-Battery", tos_accepted: true });
    assert_error(await sign_in_by("google", { id: String(++next_id), email }), 409, "EMAIL_EXISTS");
  });

  check("a provider that fails is no refusal", async () => {
    const back = await agree((await begin("github")).body.authorize_url);
    try {
      await server.control("POST", "faults", { system: "github", error_rate: 1 });
      assert_error(await finish("github", back), 502);
      await server.control("POST", "faults", { system: "github", error_rate: 0, latency_ms: 1700 });
      assert_error(await finish("github", back), 504);
    } finally {
      await server.control("DELETE", "faults");
    }
    await person("github", { id: String(++next_id), email: null });
    const second = await agree((await begin("github")).body.authorize_url);
    await server.control("POST", "faults", { system: "github", error_rate: 1 });
    assert_error(await finish("github", second), 502);
    await server.control("DELETE", "faults");
    assert.equal((await finish("github", second)).status, 200, "nothing was used up");
  });

  check("GitHub is linked and unlinked", async () => {
    const ada = await server.sign_up("github_ada");
    const subject = String(++next_id);
    await person("github", { id: subject, email: "elsewhere@example.com" });
    const begin_link = (redirect_uri) => server.get(`${oauth}/github/authorize${redirect_uri ? query({ redirect_uri }) : ""}`, ada.token);
    const begun = assert_as_agreed("mobile", "GET", "/api/v1/oauth/github/authorize", await begin_link(callback));
    assert.equal(begun.body.authorization_url, begun.body.authorize_url);
    const back = { ...(await agree(begun.body.authorize_url)), redirect_uri: callback };
    const stranger = await server.sign_up("github_eve");
    assert_error(await server.post(`${oauth}/github/callback`, back, stranger.token), 400, "OAUTH_STATE_INVALID");
    const linked = await server.post(`${oauth}/github/callback`, back, ada.token);
    assert_as_agreed("mobile", "POST", "/api/v1/oauth/github/callback", linked);
    assert.deepEqual(linked.body, { status: "linked", provider: "github", provider_user_id: subject });
    assert_error(await server.post(`${oauth}/github/callback`, back, ada.token), 400, "OAUTH_STATE_INVALID");

    // The app knows neither state nor redirect_uri; the document's app sends a GET.
    const dart = await agree((await begin_link()).body.authorize_url);
    assert.equal((await server.post(`${oauth}/github/callback`, { code: dart.code }, ada.token)).status, 200);
    assert_error(await server.post(`${oauth}/github/callback`, { code: dart.code }, ada.token), 400, "OAUTH_STATE_INVALID");
    const third = await agree((await begin_link(callback)).body.authorize_url);
    const by_get = await server.get(`${oauth}/github/callback${query({ ...third, redirect_uri: callback })}`, ada.token);
    assert_as_agreed("mobile", "GET", "/api/v1/oauth/github/callback", by_get);
    assert.deepEqual(broken_fields(await server.get(`${oauth}/github/callback`, ada.token)), ["code", "redirect_uri", "state"]);

    assert.equal((await sign_in_by("github", { id: subject })).body.user.id, ada.id);
    assert_error(await link("github", stranger.token, { id: subject }), 409, "IDENTITY_TAKEN");
    assert_error(await link("github", ada.token, { id: String(++next_id) }), 409, "PROVIDER_ALREADY_LINKED");
    const unlinked = assert_as_agreed("mobile", "DELETE", "/api/v1/oauth/{provider}", await unlink("github", ada.token));
    assert.deepEqual(unlinked.body, { status: "unlinked", provider: "github", provider_user_id: null });
    assert.equal((await unlink("github", ada.token)).status, 200);
    assert.equal((await link("github", stranger.token, { id: subject })).status, 200);
  });

  check("the last way into an account stays", async () => {
    const { body } = await sign_in_by("twitter", { id: String(++next_id), username: "lonely", email: null });
    assert_error(await unlink("twitter", body.access_token), 409, "LAST_WAY_IN");
    assert.equal((await link("discord", body.access_token, { id: String(++next_id), email: null })).status, 200);
    assert.equal((await unlink("twitter", body.access_token)).status, 200);
    assert_error(await unlink("discord", body.access_token), 409, "LAST_WAY_IN");
  });

  check("a Mini App signs in as often as it is opened", async () => {
    const id = ++next_id;
    const init_data = init_data_of({ id, username: "grace_hopper" });
    const first = assert_as_agreed("mobile", "POST", "/api/v1/auth/telegram/miniapp", await by_mini_app(init_data));
    assert.equal(first.body.is_new_user, true);
    assert.equal(first.body.user.login, "grace_hopper");
    assert.equal(first.body.user.telegram_id, id);
    const again = await by_mini_app(init_data);
    assert.equal(again.status, 200, again.text);
    assert.equal(again.body.is_new_user, false);
    assert.equal(again.body.user.id, first.body.user.id);
    const made_by_sandbox = await server.control("POST", "telegram/person", { id, first_name: "Grace" });
    assert.equal((await by_mini_app(made_by_sandbox.init_data)).body.user.id, first.body.user.id);
  });

  check("Mini App data that Telegram did not sign today is refused", async () => {
    const id = ++next_id;
    const good = init_data_of({ id });
    const bad = {
      tampered: good.replace(`${id}`, `${id + 1}`),
      unsigned: good.replace(/&hash=\w+/, ""),
      foreign: init_data_of({ id }, { token: "7000000001:another" }),
      old: init_data_of({ id }, { auth_date: seconds() - 86_405 }),
      future: init_data_of({ id }, { auth_date: seconds() + 320 }),
      "no user": init_data_of({ id: "1" }),
      "no id": init_data_of({ id: -5 }),
      garbage: "%zz",
      nothing: "a",
    };
    for (const [name, init_data] of Object.entries(bad)) {
      const answer = await by_mini_app(init_data);
      assert.equal(assert_error(answer, 401).detail, "Invalid or expired Telegram initData", name);
    }
    for (const auth_date of [seconds() - 86_390, seconds() + 290])
      assert.equal((await by_mini_app(init_data_of({ id }, { auth_date }))).status, 200);
    assert.deepEqual(broken_fields(await by_mini_app("")), ["init_data"]);
    assert.deepEqual(broken_fields(await by_mini_app("a".repeat(4097))), ["init_data"]);
  });

  check("the login widget signs a phone in once", async () => {
    const widget = widget_of({ id: ++next_id, username: "widget_fan", last_name: "Hopper" });
    const first = assert_as_agreed("mobile", "POST", "/api/v1/mobile/auth/telegram/callback", await by_widget(widget));
    assert.equal(first.body.tokens.token_type, "Bearer");
    assert.equal(first.body.is_new_user, true);
    assert.equal(first.body.user.telegram_id, widget.id);
    assert.equal(first.body.user.email, `tg${widget.id}@telegram.local`);
    assert_error(await by_widget(widget), 401, "TELEGRAM_AUTH_EXPIRED");
    const url_safe = Buffer.from(JSON.stringify(widget_of({ id: widget.id }))).toString("base64url");
    const again = await by_widget(url_safe);
    assert.equal(again.status, 200, again.text);
    assert.equal(again.body.user.id, first.body.user.id);
    const as_text = widget_of({ id: String(widget.id), auth_date: String(seconds()) });
    assert.equal((await by_widget(as_text)).status, 200, "numbers may be strings");
    const { auth_data } = await server.control("POST", "telegram/person", { id: widget.id, first_name: "Grace" });
    assert.equal((await by_widget(auth_data)).body.user.id, first.body.user.id);
    const racing = widget_of({ id: widget.id });
    const tries = await Promise.all(Array.from({ length: 64 }, () => by_widget(racing)));
    assert.equal(tries.filter(({ status }) => status === 200).length, 1);
  });

  check("widget data that Telegram did not sign today is refused", async () => {
    const id = ++next_id;
    for (const forged of [{ ...widget_of({ id }), id: id + 1 }, widget_of({ id }, "7000000001:x"), widget_of({ id, auth_date: seconds() + 320 }), {}])
      assert_error(await by_widget(forged), 400, "INVALID_TELEGRAM_AUTH");
    for (const garbage of ["!!", "e30", base64([1]), base64("x"), "bnVsbA=="])
      assert_error(await by_widget(garbage), 400, "INVALID_TELEGRAM_AUTH");
    assert_error(await by_widget(widget_of({ id, auth_date: seconds() - 86_405 })), 401, "TELEGRAM_AUTH_EXPIRED");
    assert.deepEqual(broken_fields(await by_widget(widget_of({ id }), { ...phone, platform: "wii" })), ["device.platform"]);
    assert.deepEqual(broken_fields(await by_widget(widget_of({ id }), null)), ["device"]);
  });

  check("Telegram is linked", async () => {
    const ada = await server.sign_up("telegram_ada");
    const begin_link = (redirect_uri) => server.get(`${oauth}/telegram/authorize${redirect_uri ? query({ redirect_uri }) : ""}`, ada.token);
    const begun = assert_as_agreed("mobile", "GET", "/api/v1/oauth/telegram/authorize", await begin_link(callback));
    assert.equal(new URL(begun.body.authorize_url).searchParams.get("bot_id"), "7000000001");
    const id = ++next_id;
    await server.control("POST", "telegram/person", { id, first_name: "Ada" });
    const page = await fetch(begun.body.authorize_url, { redirect: "manual" });
    const widget = JSON.parse(Buffer.from(page.headers.get("location").split("#tgAuthResult=")[1], "base64url"));
    const finish_link = (body, token = ada.token) => server.post(`${oauth}/telegram/callback`, body, token);

    assert_error(await finish_link({ ...widget, id: id + 1, state: begun.body.state }), 400, "OAUTH_FAILED");
    assert_error(await finish_link({ ...widget, state: "x".repeat(43) }), 400, "OAUTH_STATE_INVALID");
    const linked = await finish_link({ ...widget, state: begun.body.state });
    assert_as_agreed("mobile", "POST", "/api/v1/oauth/telegram/callback", linked);
    assert.deepEqual(linked.body, { status: "linked", provider: "telegram", provider_user_id: String(id) });
    assert.equal((await me(ada.token)).telegram_id, id, "the session knows at once");

    const second = (await begin_link()).body;
    assert.ok(second.authorize_url.includes(encodeURIComponent(`${callback}?provider=telegram`)));
    assert_error(await finish_link({ ...widget, state: second.state }), 400, "OAUTH_FAILED"); // counts once
    const fresh = widget_of({ id });
    const by_get = await server.get(`${oauth}/telegram/callback${query({ ...fresh, state: second.state })}`, ada.token);
    assert_as_agreed("mobile", "GET", "/api/v1/oauth/telegram/callback", by_get);
    await begin_link();
    assert.equal((await finish_link({ code: base64(widget_of({ id })) })).status, 200);
    assert_error(await finish_link({ code: "4/0AX4XfWh" }), 400, "OAUTH_FAILED");
    assert.deepEqual(broken_fields(await finish_link({})), ["auth_date", "first_name", "hash", "id", "state"]);
    assert.deepEqual(broken_fields(await server.get(`${oauth}/telegram/callback`, ada.token)), ["auth_date", "first_name", "hash", "id", "state"]);

    const stranger = await server.sign_up("telegram_eve");
    const { state } = (await server.get(`${oauth}/telegram/authorize`, stranger.token)).body;
    assert_error(await finish_link({ ...widget_of({ id }), state }, stranger.token), 409, "IDENTITY_TAKEN");
  });

  check("a login link is made by an administrator or the bot and signs in once", async () => {
    const telegram_id = ++next_id;
    const { body: grace } = await by_mini_app(init_data_of({ id: telegram_id }));
    const admin = await server.sign_in_admin();
    const make = (token, id = telegram_id) => at_telegram("auth/telegram/generate-login-link", { telegram_id: id }, token);
    const redeem = (token) => at_telegram("auth/telegram/bot-link", { token });

    const made = assert_as_agreed("mobile", "POST", "/api/v1/auth/telegram/generate-login-link", await make(admin.token));
    assert.match(made.body.token, /^[\w-]{43}$/);
    assert.equal(made.body.url, `https://t.me/sandbox_bot?start=login_${made.body.token}`);
    assert.ok(Math.abs(Date.parse(made.body.expires_at) - Date.now() - 300_000) < 10_000);
    const tries = await Promise.all(Array.from({ length: 64 }, () => redeem(made.body.token)));
    assert.equal(tries.filter(({ status }) => status === 200).length, 1);
    assert_error(tries.find(({ status }) => status !== 200), 401, "INVALID_LOGIN_TOKEN");

    const by_bot = await make(bot_api_secret);
    assert.equal(by_bot.status, 200, by_bot.text);
    const signed_in = assert_as_agreed("mobile", "POST", "/api/v1/auth/telegram/bot-link", await redeem(by_bot.body.token));
    assert.equal(signed_in.body.user.id, grace.user.id);
    assert.equal((await server.post("/api/v1/auth/refresh", { refresh_token: signed_in.body.refresh_token })).status, 200);

    assert_error(await make(grace.access_token), 403);
    assert_error(await make(undefined), 401);
    assert_error(await make("garbage"), 401);
    assert.deepEqual(broken_fields(await make(admin.token, 0)), ["telegram_id"]);
    const for_nobody = await make(admin.token, ++next_id);
    assert_error(await redeem(for_nobody.body.token), 401, "USER_NOT_FOUND");
    assert.deepEqual(broken_fields(await redeem("")), ["token"]);
    const late = await make(admin.token);
    await server.control("POST", "clock", { advance_seconds: 301 });
    try {
      assert_error(await redeem(late.body.token), 401, "INVALID_LOGIN_TOKEN");
    } finally {
      await server.control("POST", "clock", { offset_seconds: 0 });
    }
  });

  check("nothing secret was logged", async () => {
    for (const text of ["sandbox-oauth", bot_token, bot_api_secret, "code_verifier"]) assert.ok(!server.log.includes(text), text);
  });
});

describe("providers that are not set up", () => {
  const { server, check } = with_server({ sandbox: false, settings: { environment: "development" } });

  check("are not found", async () => {
    for (const provider of providers)
      assert_error(await server.get(`/api/v1/oauth/${provider}/login?redirect_uri=${encodeURIComponent(callback)}`), 404, "PROVIDER_NOT_AVAILABLE");
    assert_error(await server.post("/api/v1/auth/telegram/miniapp", { init_data: init_data_of({ id: 1 }) }), 404, "PROVIDER_NOT_AVAILABLE");
  });
});
