// What a browser does: cookies, CSRF, the list of sessions, profile and password.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { deflateSync } from "node:zlib";

import { assert_as_agreed } from "./contract.js";
import { assert_error, broken_fields, eventually, password, phone, with_server } from "./server.js";

/** Keeps cookies and sends them, as a browser does for one site. */
class Browser {
  cookies = new Map();

  constructor(server, user_agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0") {
    Object.assign(this, { server, user_agent });
  }

  async api(method, path, { body, headers = {}, token } = {}) {
    const sent = [...this.cookies].map(([name, { value }]) => `${name}=${value}`).join("; ");
    const answer = await this.server.api(method, path, {
      body, token, headers: { "user-agent": this.user_agent, ...(sent ? { cookie: sent } : {}), ...headers },
    });
    for (const line of answer.headers.getSetCookie?.() ?? []) this.#keep(line);
    return answer;
  }

  #keep(line) {
    const [pair, ...attributes] = line.split("; ");
    const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
    const age = Number(attributes.find((each) => each.startsWith("Max-Age="))?.slice(8));
    if (age === 0) this.cookies.delete(name);
    else this.cookies.set(name, { value, age, attributes });
  }

  get csrf() {
    return { "x-csrf-token": this.cookies.get("csrf_token")?.value ?? "" };
  }

  get = (path) => this.api("GET", path);
  write = (method, path, body, headers = this.csrf) => this.api(method, path, { body, headers });

  async sign_in(login, secret = password) {
    const answer = await this.api("POST", "/api/v1/auth/login", { body: { username: login, password: secret } });
    assert.equal(answer.status, 200, answer.text);
    return answer;
  }
}

const quick = { "limits.general": "10000", "limits.login_per_address": "10000" };

/** A PNG, made without the library that the server uses. */
function png(width, height, { claimed = [width, height], text } = {}) {
  const table = Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n >>> 0;
  });
  const crc = (bytes) => (bytes.reduce((c, b) => table[(c ^ b) & 255] ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const framed = Buffer.alloc(body.length + 8);
    framed.writeUInt32BE(data.length, 0);
    body.copy(framed, 4);
    framed.writeUInt32BE(crc(body), body.length + 4);
    return framed;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(claimed[0], 0);
  header.writeUInt32BE(claimed[1], 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, RGB
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, 200)]);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
    chunk("IHDR", header),
    ...(text ? [chunk("tEXt", Buffer.from(`Comment\0${text}`))] : []),
    chunk("IDAT", deflateSync(Buffer.concat(Array.from({ length: height }, () => row)))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function form(fields) {
  const made = new FormData();
  for (const [name, value] of Object.entries(fields))
    value instanceof Buffer ? made.append(name, new Blob([value]), "me.png") : made.append(name, value);
  return made;
}

describe("cookies", () => {
  const { server, check } = with_server({ settings: quick });
  let bob;

  check("a JSON sign-in sets them, and they sign in", async () => {
    bob = await server.sign_up("bob");
    const browser = new Browser(server);
    const answer = await browser.sign_in("bob");
    assert_as_agreed("console", "POST", "/api/v1/auth/login", answer);
    assert_as_agreed("workspace", "POST", "/api/v1/auth/login", answer);
    const { attributes, age } = browser.cookies.get("session_token");
    assert.ok(attributes.includes("HttpOnly") && attributes.includes("SameSite=Lax") && attributes.includes("Path=/"));
    assert.ok(!attributes.includes("Secure"), "not in development");
    assert.ok(Math.abs(age - 7 * 86_400) < 10, `${age}`);
    assert.ok(!browser.cookies.get("csrf_token").attributes.includes("HttpOnly"));
    assert.ok(browser.cookies.get("known_device").attributes.includes("HttpOnly"));
    const me = await browser.get("/api/v1/auth/me");
    assert.equal(me.body.id, bob.id);
    assert_as_agreed("console", "GET", "/api/v1/auth/me", me);
    assert_as_agreed("workspace", "GET", "/api/v1/auth/me", me);
  });

  check("registering and a mailed code set them too, a phone's sign-in as well", async () => {
    const registered = await new Browser(server).api("POST", "/api/v1/auth/register", { body: { email: "ned@example.com", password } });
    assert_as_agreed("workspace", "POST", "/api/v1/auth/register", registered);
    assert.equal(registered.headers.getSetCookie().length, 3);
    const code = await server.mailed_code("ned@example.com");
    const verified = await server.post("/api/v1/auth/verify-otp", { email: "ned@example.com", code });
    assert.equal(verified.headers.getSetCookie().length, 3);
    const device = await server.post("/api/v1/mobile/auth/login", { email: "ned@example.com", password, device: phone });
    assert.equal(device.headers.getSetCookie().length, 3);
  });

  check("a refused sign-in and a form set none", async () => {
    const wrong = await server.post("/api/v1/auth/login", { username: "bob", password: "Wrong-Horse-7-Battery" });
    assert.equal(assert_error(wrong, 401) && wrong.headers.getSetCookie().length, 0);
    const filled = await server.api("POST", "/api/v1/auth/login", {
      body: `username=bob&password=${password}`, headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    assert.equal(filled.status, 200, filled.text);
    assert.equal(filled.headers.getSetCookie().length, 0);
  });

  check("a page asks who is signed in", async () => {
    const browser = new Browser(server);
    const nobody = await browser.get("/api/v1/auth/session");
    assert_error(nobody, 401);
    assert.equal(nobody.body.authenticated, false);
    assert.equal(nobody.body.detail, "No valid session");
    await browser.sign_in("bob");
    const answer = assert_as_agreed("console", "GET", "/api/v1/auth/session", await browser.get("/api/v1/auth/session"));
    assert.equal(answer.body.authenticated, true);
    assert.equal(answer.body.user.username, "bob");
    const by_token = await server.get("/api/v1/auth/me", answer.body.token);
    assert.equal(by_token.body.id, bob.id);
    for (const nothing of ["null", "garbage", "a.b.c"])
      assert.equal((await browser.api("GET", "/api/v1/auth/session", { token: nothing })).status, 200, nothing);
  });

  check("a write by cookie needs the CSRF token, or to come from our page", async () => {
    const browser = new Browser(server);
    await browser.sign_in("bob");
    const rename = (headers, token) => browser.api("PUT", "/api/v1/auth/profile", { body: { display_name: "Bob" }, headers, token });
    const forged = assert_error(await rename({}), 403, "CSRF_FAILED");
    assert.equal(forged.detail, "CSRF validation failed. Invalid or missing CSRF token.");
    assert_error(await rename({ "sec-fetch-site": "cross-site" }), 403);
    assert.equal((await rename(browser.csrf)).status, 200);
    assert.equal((await rename({ "sec-fetch-site": "same-origin" })).status, 200);
    const shown = assert_as_agreed("console", "GET", "/api/v1/auth/csrf-token", await browser.get("/api/v1/auth/csrf-token"));
    assert.equal(shown.body.csrf_token, browser.cookies.get("csrf_token").value);
    assert.equal((await rename({ "x-csrf-token": shown.body.csrf_token })).status, 200);
    const others = new Browser(server);
    await others.sign_in("bob");
    assert_error(await rename(others.csrf), 403); // another session's token
    const anonymous = await server.get("/api/v1/auth/csrf-token");
    assert_error(await rename({ "x-csrf-token": anonymous.body.csrf_token }), 403);
    assert.equal(anonymous.headers.getSetCookie().length, 0);
    assert.equal((await rename({}, bob.token)).status, 200, "a bearer needs none");
  });

  check("the cookie is not mixed with another's bearer", async () => {
    const browser = new Browser(server);
    await browser.sign_in("bob");
    const eve = await server.sign_up("eve");
    assert.equal((await browser.api("GET", "/api/v1/auth/me", { token: eve.token })).body.id, eve.id);
    await server.post("/api/v1/auth/logout", { refresh_token: eve.refresh_token });
    assert_error(await browser.api("GET", "/api/v1/auth/me", { token: eve.token }), 401);
    assert_error(await browser.api("POST", "/api/v1/auth/refresh", { token: eve.token, headers: browser.csrf }), 401);
  });

  check("a refresh without a token lets the cookie's session last longer", async () => {
    const browser = new Browser(server);
    const { body } = await browser.sign_in("bob");
    assert_error(await browser.write("POST", "/api/v1/auth/refresh", undefined, {}), 403, "CSRF_FAILED");
    const renewed = await browser.write("POST", "/api/v1/auth/refresh");
    assert.equal(renewed.status, 200, renewed.text);
    assert.equal(renewed.headers.getSetCookie().length, 2);
    assert.equal((await server.get("/api/v1/auth/me", renewed.body.access_token)).body.id, bob.id);
    // The holder of the refresh token lost nothing by it.
    const rotated = await server.post("/api/v1/auth/refresh", { refresh_token: body.refresh_token });
    assert_as_agreed("workspace", "POST", "/api/v1/auth/refresh", rotated);
    assert_error(await server.post("/api/v1/auth/refresh", {}), 401);
    assert.deepEqual(broken_fields(await server.post("/api/v1/mobile/auth/refresh", {})), ["refresh_token"]);
  });

  check("a logout without a token ends the cookie's session and takes the cookies away", async () => {
    const browser = new Browser(server);
    await browser.sign_in("bob");
    const stolen = new Map(browser.cookies);
    assert_error(await browser.write("POST", "/api/v1/auth/logout", undefined, {}), 403, "CSRF_FAILED");
    const answer = await browser.write("POST", "/api/v1/auth/logout");
    assert_as_agreed("console", "POST", "/api/v1/auth/logout", answer);
    assert_as_agreed("workspace", "POST", "/api/v1/auth/logout", answer);
    assert.deepEqual([...browser.cookies.keys()], ["known_device"]);
    browser.cookies = stolen;
    assert_error(await browser.get("/api/v1/auth/me"), 401);
    assert.equal((await browser.write("POST", "/api/v1/auth/logout")).status, 200, "silent for an ended one");
  });
});

describe("known devices", () => {
  const { server, check } = with_server({ settings: { ...quick, "limits.guess_per_minute": "3", "limits.guess_per_hour": "5" } });

  check("strangers cannot lock the owner out of a browser or phone that has signed in", async () => {
    await server.sign_up("owner");
    const known = new Browser(server);
    await known.sign_in("owner");
    const by_phone = () => server.post("/api/v1/mobile/auth/login", { email: "owner@example.com", password, device: phone });
    assert.equal((await by_phone()).status, 200);
    const guess = (headers) => server.post("/api/v1/auth/login", { username: "owner", password: "Wrong-Horse-7-Battery" }, undefined, headers);
    for (let i = 0; i < 3; i++) assert_error(await guess(), 401);
    assert_error(await guess(), 423);
    assert_error(await server.post("/api/v1/auth/login", { username: "owner", password }), 423);
    const other = { ...phone, device_id: "00000000-6f0a-4c57-9d55-0d2f3c5b7a11" };
    assert_error(await server.post("/api/v1/mobile/auth/login", { email: "owner@example.com", password, device: other }), 423);
    await known.sign_in("owner");
    assert.equal((await by_phone()).status, 200);
  });

  check("nor does a known device guess without end, or one account's cookie help with another", async () => {
    await server.sign_up("careless");
    const browser = new Browser(server);
    await browser.sign_in("careless");
    const guess = (login) => browser.api("POST", "/api/v1/auth/login", { body: { username: login, password: "Wrong-Horse-7-Battery" } });
    for (let i = 0; i < 3; i++) assert_error(await guess("careless"), 401);
    assert_error(await guess("careless"), 423);
    assert.equal((await server.post("/api/v1/auth/login", { username: "careless", password })).status, 200);
    assert_error(await guess("owner"), 423);
  });
});

describe("sessions", () => {
  const { server, check } = with_server({ settings: quick });
  const list = async (token, query = "") => (await server.get(`/api/v1/auth/sessions${query}`, token)).body;

  check("are listed with what tells them apart", async () => {
    const bob = await server.sign_up("bob");
    const browser = new Browser(server);
    await browser.sign_in("bob");
    await server.post("/api/v1/mobile/auth/login", { email: "bob@example.com", password, device: phone });
    const answer = await browser.get("/api/v1/auth/sessions");
    assert_as_agreed("console", "GET", "/api/v1/auth/sessions", answer);
    assert_as_agreed("workspace", "GET", "/api/v1/auth/sessions", answer, { "items[].id": "string" });
    const { sessions, items, total, page, page_size } = answer.body;
    assert.deepEqual(sessions, items);
    assert.deepEqual({ total, page, page_size }, { total: 3, page: 1, page_size: 20 });
    assert.deepEqual(sessions.filter((s) => s.is_current).map((s) => s.user_agent), [browser.user_agent]);
    const of_phone = sessions.find((s) => s.device_name);
    assert.deepEqual([of_phone.device_name, of_phone.platform], ["Pixel 8", "mobile"]);
    assert.equal(of_phone.ip_address, "127.0.0.1");
    for (const [query, ids] of [["?page_size=2", 2], ["?page=2&page_size=2", 1], ["?page=9", 0]]) {
      const paged = await list(bob.token, query);
      assert.equal(paged.items.length, ids, query);
      assert.equal(paged.total, 3, query);
    }
    assert.deepEqual(broken_fields(await server.get("/api/v1/auth/sessions?page=0&page_size=101", bob.token)), ["page", "page_size"]);
  });

  check("one can be ended: at once, also on its open sockets, and no other", async () => {
    const ann = await server.sign_up("ann");
    const other = await server.sign_in("ann");
    const [kept, cut] = [await server.socket("/ws/notifications", ann.token), await server.socket("/ws/notifications", other.token)];
    const target = (await list(other.token)).sessions.find((s) => s.is_current);
    const answer = await server.api("DELETE", `/api/v1/auth/sessions/${target.id}`, { token: ann.token });
    assert_as_agreed("console", "DELETE", "/api/v1/auth/sessions/{id}", answer);
    assert_as_agreed("workspace", "DELETE", "/api/v1/auth/sessions/{session_id}", answer);
    assert_error(await server.get("/api/v1/auth/me", other.token), 401);
    assert_error(await server.post("/api/v1/auth/refresh", { refresh_token: other.refresh_token }), 401);
    assert.equal((await cut.next("force_disconnect")).data.reason, "Session ended");
    assert.equal((await cut.closed).code, 1008);
    assert.equal(kept.ws.readyState, kept.ws.OPEN);
    await kept.close();
    assert_error(await server.api("DELETE", `/api/v1/auth/sessions/${target.id}`, { token: ann.token }), 404, "SESSION_NOT_FOUND");
    const eve = await server.sign_up("eve");
    const own = (await list(ann.token)).sessions[0];
    assert_error(await server.api("DELETE", `/api/v1/auth/sessions/${own.id}`, { token: eve.token }), 404, "SESSION_NOT_FOUND");
    assert.deepEqual(broken_fields(await server.api("DELETE", "/api/v1/auth/sessions/nonsense", { token: ann.token })), ["session_id"]);
    assert.equal((await server.api("DELETE", `/api/v1/sessions/${own.id}`, { token: ann.token })).status, 200, "the own one, by its alias");
    assert_error(await server.get("/api/v1/auth/me", ann.token), 401);
  });

  check("a sign-out closes the session's sockets", async () => {
    const session = await server.sign_in("bob");
    const socket = await server.socket("/ws/notifications", session.token);
    await server.post("/api/v1/auth/logout", { refresh_token: session.refresh_token });
    assert.equal((await socket.closed).code, 1008);
  });

  check("their last activity is kept, to within five minutes", async () => {
    const session = await server.sign_in("bob");
    const seen = async () => Date.parse((await list(session.token)).sessions.find((s) => s.is_current).last_activity);
    const before = await seen();
    await server.control("POST", "clock", { advance_seconds: 360 });
    await eventually(async () => assert.ok((await seen()) >= before + 360_000 - 2000));
  });

  check("a token signs another browser in, once", async () => {
    const session = await server.sign_in("bob");
    const made = await server.post("/api/v1/auth/session-token", undefined, session.token);
    assert_as_agreed("workspace", "POST", "/api/v1/auth/session-token", made);
    assert.equal(made.body.url, `${server.url}/login/session/${made.body.token}`);
    const exchange = (token, browser = new Browser(server)) => browser.api("POST", "/api/v1/auth/session-exchange", { body: { token } });
    const browser = new Browser(server);
    const answer = await exchange(made.body.token, browser);
    assert_as_agreed("workspace", "POST", "/api/v1/auth/session-exchange", answer);
    assert.equal((await browser.get("/api/v1/auth/me")).body.login, "bob");
    assert_error(await exchange(made.body.token), 410, "TOKEN_EXPIRED_OR_USED");
    assert_error(await exchange("nonsense"), 410, "TOKEN_EXPIRED_OR_USED");
    assert_error(await exchange(undefined), 400, "TOKEN_MISSING");
    assert_error(await exchange(""), 400, "TOKEN_MISSING");

    const parallel = (await server.post("/api/v1/auth/session-token", undefined, session.token)).body.token;
    const all = await Promise.all(Array.from({ length: 64 }, () => exchange(parallel)));
    assert.equal(all.filter((each) => each.status === 200).length, 1);
    assert.ok(all.every((each) => [200, 410].includes(each.status)));

    const late = (await server.post("/api/v1/auth/session-token", undefined, session.token)).body.token;
    const orphan = (await server.post("/api/v1/auth/session-token", undefined, session.token)).body.token;
    await server.post("/api/v1/auth/logout", { refresh_token: session.refresh_token });
    assert_error(await exchange(orphan), 410);
    await server.control("POST", "clock", { advance_seconds: 91 });
    assert_error(await exchange(late), 410);
  });
});

describe("profile and password", () => {
  const { server, check } = with_server({ settings: quick });
  let bob;
  const put = (body, token = bob.token) => server.api("PUT", "/api/v1/auth/profile", { body, token });
  const change = (body, token = bob.token) => server.post("/api/v1/auth/change-password", body, token);

  check("are read and changed", async () => {
    bob = await server.sign_up("bob");
    assert_as_agreed("console", "GET", "/api/v1/auth/profile", await server.get("/api/v1/auth/profile", bob.token));
    const changed = await put({ display_name: "Bob Б", bio: "Hi.", email: "BOB@example.com" });
    assert_as_agreed("console", "PUT", "/api/v1/auth/profile", changed);
    assert.deepEqual([changed.body.display_name, changed.body.bio, changed.body.user.name], ["Bob Б", "Hi.", "Bob Б"]);
    assert.equal((await server.get("/api/v1/auth/me", bob.token)).body.full_name, "Bob Б", "at once");
    assert.equal((await put({ bio: null })).body.bio, null);
    assert.equal((await put({})).body.display_name, "Bob Б", "what is missing stays");
    assert_error(await put({ email: "other@example.com" }), 400, "EMAIL_CHANGE_NOT_SUPPORTED");
    assert.deepEqual(broken_fields(await put({ display_name: "x".repeat(101), bio: 5 })), ["bio", "display_name"]);
    assert_error(await server.get("/api/v1/auth/profile"), 401);
  });

  check("preferences are merged member by member", async () => {
    assert_as_agreed("workspace", "GET", "/api/v1/profile", await server.get("/api/v1/profile", bob.token));
    const patch = (body) => server.api("PATCH", "/api/v1/profile/", { body, token: bob.token });
    const first = await patch({ preferences: { theme: "dark", list: { rows: 10 } } });
    assert_as_agreed("workspace", "PATCH", "/api/v1/profile", first);
    const second = await patch({ preferences: { list: { columns: 2 } }, avatar_url: "https://example.com/a.png" });
    assert.deepEqual(second.body.data.preferences, { theme: "dark", list: { columns: 2 } });
    assert.equal(second.body.data.avatar_url, "https://example.com/a.png");
    assert.equal((await patch({ avatar_url: null })).body.data.avatar_url, null);
    assert.equal(typeof second.body.data.user_id, "number");
    assert.deepEqual(broken_fields(await patch({ preferences: { big: "x".repeat(17_000) } })), ["preferences"]);
    assert.deepEqual(broken_fields(await patch({ preferences: [1], avatar_url: "http://example.com/a.png" })), ["avatar_url", "preferences"]);
    assert.deepEqual(broken_fields(await patch({ preferences: { deep: [{ nul: "\u0000" }] } })), ["preferences"]);
    assert.deepEqual((await patch({})).body.data.preferences, { theme: "dark", list: { columns: 2 } });
    const me = await server.get("/api/v1/user/me", bob.token);
    assert_as_agreed("workspace", "GET", "/api/v1/user/me", me);
    assert.equal(me.body.id, second.body.data.user_id);
  });

  check("a picture is encoded anew and served to everybody", async () => {
    const upload = (file) => server.api("POST", "/api/v1/auth/profile/avatar", { body: form({ file }), token: bob.token });
    const answer = await upload(png(600, 300, { text: "GPS 52.5163 N" }));
    assert_as_agreed("console", "POST", "/api/v1/auth/profile/avatar", answer);
    const fetched = await fetch(server.url + answer.body.avatar_url);
    assert.equal(fetched.status, 200);
    assert.equal(fetched.headers.get("content-type"), "image/png");
    assert.match(fetched.headers.get("cache-control"), /immutable/);
    const bytes = Buffer.from(await fetched.arrayBuffer());
    assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [512, 256]);
    assert.ok(!bytes.includes("GPS"));
    const again = await put(form({ name: "Robert", email: "bob@example.com", avatar: png(10, 10) }));
    assert.equal(again.status, 200, again.text);
    assert.equal(again.body.user.name, "Robert");
    assert.notEqual(again.body.avatar_url, answer.body.avatar_url);
    assert.equal((await fetch(server.url + answer.body.avatar_url)).status, 404, "the old one is gone");

    for (const bad of [Buffer.from("<svg/>"), png(20, 20).subarray(0, 60), png(2, 2, { claimed: [30_000, 30_000] })])
      assert_error(await upload(bad), 400, "INVALID_IMAGE");
    assert_error(await upload(Buffer.alloc(2 * 1024 * 1024 + 1, 1)), 400, "INVALID_IMAGE");
    assert_error(await upload(Buffer.alloc(2 * 1024 * 1024 + 64 * 1024, 1)), 413);
    assert.deepEqual(broken_fields(await server.api("POST", "/api/v1/auth/profile/avatar", { body: form({ other: "x" }), token: bob.token })), ["file"]);
    assert_error(await server.get("/avatars/00000000000000000000000000000000.png"), 404);
    assert_error(await server.get("/avatars/%00"), 422);
  });

  check("the password policy is told", async () => {
    assert_as_agreed("console", "GET", "/api/v1/auth/password-policy", await server.get("/api/v1/auth/password-policy"));
  });

  check("a new password ends the other sessions, on sockets too, and not the own one", async () => {
    const [other, browser] = [await server.sign_in("bob"), new Browser(server)];
    await browser.sign_in("bob");
    const [own_socket, other_socket] = [await server.socket("/ws/notifications", bob.token), await server.socket("/ws/notifications", other.token)];
    const next = "Another-Horse-8-Battery";
    const wrong = assert_error(await change({ current_password: "nonsense", new_password: next }), 400, "WRONG_PASSWORD");
    assert.equal(wrong.detail, "Current password is incorrect");
    for (const [bad, why] of [["short1", "at least 8"], ["lettersonly", "two of"], ["password1", "common"], ["x7".repeat(65), "at most 128"]]) {
      const { detail, errors } = assert_error(await change({ current_password: password, new_password: bad }), 400, "PASSWORD_POLICY");
      assert.match(detail, new RegExp(why));
      assert.deepEqual(errors[0].loc, ["body", "new_password"]);
    }
    const changed = await change({ current_password: password, new_password: next });
    assert_as_agreed("console", "POST", "/api/v1/auth/change-password", changed);
    assert.deepEqual([changed.body.strength, changed.body.warnings], ["strong", []]);
    assert.equal((await server.get("/api/v1/auth/me", bob.token)).status, 200);
    assert_error(await server.get("/api/v1/auth/me", other.token), 401);
    assert_error(await browser.get("/api/v1/auth/me"), 401);
    assert.equal((await other_socket.closed).code, 1008);
    assert.equal(own_socket.ws.readyState, own_socket.ws.OPEN);
    await own_socket.close();
    assert_error(await server.post("/api/v1/auth/login", { username: "bob", password }), 401);
    await server.sign_in("bob", next);
  });

  check("the present password is not guessed for ever, and strangers' guesses do not count", async () => {
    await server.sign_up("tom");
    const tom = await server.sign_in("tom");
    for (let i = 0; i < 6; i++) await server.post("/api/v1/auth/login", { username: "tom", password: "Wrong-Horse-7-Battery" });
    assert_error(await server.post("/api/v1/auth/login", { username: "tom", password }), 423);
    const guess = () => change({ current_password: "nonsense", new_password: "Another-Horse-8-Battery" }, tom.token);
    for (let i = 0; i < 5; i++) assert_error(await guess(), 400, "WRONG_PASSWORD");
    assert_error(await guess(), 423);
    assert.equal((await server.get("/api/v1/auth/me", tom.token)).status, 200);
  });
});

describe("in production", () => {
  const { server, check } = with_server({
    sandbox: false,
    settings: { environment: "production", "registration.enabled": "true" },
    environment: { BACKSTAY_SECURITY_KEYS: Buffer.alloc(32, 7).toString("hex") },
  });

  check("cookies travel over TLS only", async () => {
    const registered = await server.post("/api/v1/auth/register", { email: "ann@example.com", password });
    assert.equal(registered.status, 201, registered.text);
    for (const line of registered.headers.getSetCookie()) assert.match(line, /; Secure$/);
  });
});
