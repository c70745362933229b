// Bad input: each gets a clear answer in the error shape or a clean close, and the server keeps serving.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { after, afterEach, describe } from "node:test";

import { assert_error, broken_fields, password, phone, with_server } from "./server.js";
import { open_socket } from "./socket.js";

/**
 * Sends bytes over a socket of their own and reads until the other side closes, or `enough` says so. What is in `then`
 * follows once the head of an answer is there.
 */
function exchange_bytes(port, bytes, { enough = () => false, then, seconds = 15 } = {}) {
  return new Promise((done, failed) => {
    const chunks = [];
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    const finish = (closed) => {
      clearTimeout(timer);
      socket.destroy();
      done({ bytes: Buffer.concat(chunks), text: Buffer.concat(chunks).toString("latin1"), closed });
    };
    const timer = setTimeout(() => failed(new Error(`neither an answer nor a close: ${Buffer.concat(chunks)}`)), seconds * 1000);
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (then && Buffer.concat(chunks).includes("\r\n\r\n")) {
        socket.write(then);
        then = undefined;
      }
      if (enough(Buffer.concat(chunks))) finish(false);
    });
    socket.on("error", () => finish(true)); // a reset is a close
    socket.on("close", () => finish(true));
  });
}

/** The answers in what a raw connection sent, in the form of `server.api`. */
function read_answer(text) {
  const [head, ...rest] = text.split("\r\n\r\n");
  const [status_line, ...fields] = head.split("\r\n");
  const headers = new Headers(fields.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
  const body = rest.join("\r\n\r\n");
  return { status: Number(status_line.split(" ")[1]), headers, text: body, body: JSON.parse(body) };
}

const base64url = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function make_token(header, claims, key) {
  const signed = `${base64url(header)}.${base64url(claims)}`;
  return `${signed}.${key ? createHmac("sha256", key).update(signed).digest("base64url") : ""}`;
}

const claims_of = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

describe("bad input", () => {
  const { server, check } = with_server({ settings: { "limits.general": "100000", "limits.payments": "100000" } });
  const login = (body, headers) => server.post("/api/v1/auth/login", body, undefined, headers);
  const me = (token) => server.get("/api/v1/auth/me", token);
  let process_id, account;

  afterEach(async () => {
    process_id ??= server.process.pid;
    assert.ok(server.is_running, "the server has ended");
    assert.equal(server.process.pid, process_id);
    assert.equal((await server.get("/api/v1/plans")).status, 200, "the server serves on");
  });

  after(async () => {
    const ours = server.log_lines.filter((line) => line.level === "error");
    assert.deepEqual(ours, [], "bad input is no error of ours");
  });

  // ---- bodies

  check("malformed JSON", async () => {
    for (const body of ["{", "}", '{"login":', "{'login':1}", '{"a":1}}', "\u0000", "nul", '{"a":01}', '"\\x"', "[1,]", '{"login":"a"} x'])
      assert_error(await login(body), 400, "MALFORMED_REQUEST");
  });

  check("a body that is no object", async () => {
    for (const body of ["[]", "1", '"text"', "null", "true"]) {
      const answer = await login(body);
      assert.ok([400, 422].includes(answer.status), answer.text);
      assert_error(answer, answer.status);
    }
  });

  check("an empty body lacks every required field", async () => {
    assert.deepEqual(broken_fields(await login("")).includes("password"), true);
  });

  check("wrong types, all broken fields named at once", async () => {
    const answer = await server.post("/api/v1/mobile/auth/register", {
      email: 5,
      password: ["x"],
      device: { ...phone, platform: "toaster", device_id: "short", os_version: {}, app_version: undefined },
    });
    assert.deepEqual(broken_fields(answer), [
      "device.app_version",
      "device.device_id",
      "device.os_version",
      "device.platform",
      "email",
      "password",
    ]);
    assert.ok(answer.body.errors.every(({ loc }) => loc[0] === "body"));
  });

  check("wrong types where another is meant", async () => {
    for (const wrong of [1, 1.5, true, null, {}, []])
      assert.deepEqual(broken_fields(await login({ login: "ada", password: wrong })), ["password"], JSON.stringify(wrong));
    const remember = await login({ login: "ada", password, remember_me: "perhaps" });
    assert.deepEqual(broken_fields(remember), ["remember_me"]);
  });

  check("lengths and formats out of bounds", async () => {
    const register = (body) => server.post("/api/v1/auth/register", { login: "valid", email: "v@example.com", password, tos_accepted: true, ...body });
    assert.deepEqual(broken_fields(await register({ login: "ab" })), ["login"]);
    assert.deepEqual(broken_fields(await register({ login: "a".repeat(51) })), ["login"]);
    assert.deepEqual(broken_fields(await register({ login: "no spaces" })), ["login"]);
    assert.deepEqual(broken_fields(await register({ email: "no address" })), ["email"]);
    assert.deepEqual(broken_fields(await register({ password: "short" })), ["password"]);
    assert.deepEqual(broken_fields(await register({ password: "password1234" })), ["password"]);
    assert.deepEqual(broken_fields(await server.post("/api/v1/auth/verify-otp", { email: "v@example.com", code: "12345x" })), ["code"]);
  });

  check("invalid UTF-8", async () => {
    const invalid = ["ff", "c0af", "eda080", "f4908080", "e282"];
    for (const hex of invalid) {
      const body = Buffer.concat([Buffer.from('{"login":"'), Buffer.from(hex, "hex"), Buffer.from('","password":"x"}')]);
      assert_error(await login(body), 400, "MALFORMED_REQUEST");
    }
    for (const path of ["/api/v1/servers/%ff", "/api/v1/payments/%c0%af/status", "/api/v1/payments/history?limit=%ff"]) {
      account ??= await server.sign_up("ada");
      const answer = await server.get(path, account.token);
      assert.ok([400, 404, 422].includes(answer.status), `${path}: ${answer.text}`);
      assert_error(answer, answer.status);
    }
  });

  check("a text with U+0000, which PostgreSQL cannot keep", async () => {
    const answer = await login('{"login":"a\\u0000da","password":"x"}');
    assert.ok([400, 401, 422].includes(answer.status), answer.text);
    assert_error(answer, answer.status);
    const email = await server.post("/api/v1/auth/register", '{"login":"zero","email":"a\\u0000@example.com","password":"' + password + '","tos_accepted":true}');
    assert.ok([400, 422].includes(email.status), email.text);
    const plan = await server.post("/api/v1/payments/create", '{"plan_id":"a\\u0000","currency":"USD"}', account.token);
    assert.ok([400, 404, 422].includes(plan.status), plan.text);
    const id = await server.get("/api/v1/payments/a%00b/status", account.token);
    assert.ok([400, 404, 422].includes(id.status), id.text);
  });

  check("deep nesting", async () => {
    for (const [open, close] of [["[", "]"], ['{"a":', "}"]])
      for (const depth of [33, 1000, 30_000]) {
        const answer = await login(open.repeat(depth) + "1" + close.repeat(depth));
        assert.ok([400, 413].includes(answer.status), answer.text);
        assert_error(answer, answer.status);
      }
  });

  check("duplicate keys", async () => {
    assert_error(await login('{"login":"ada","password":"a","password":"b"}'), 400, "MALFORMED_REQUEST");
    assert_error(await server.post("/api/v1/mobile/auth/login", '{"device":{"platform":"ios","platform":"android"}}'), 400);
  });

  check("numbers out of range", async () => {
    for (const number of ["1e400", "-1e400", "123456789012345678901234567890"]) {
      const answer = await login(`{"login":${number},"password":"x"}`);
      assert.ok([400, 422].includes(answer.status), `${number}: ${answer.text}`);
      assert_error(answer, answer.status);
    }
    const ask = (query) => server.get(`/api/v1/payments/history?${query}`, account.token);
    for (const limit of ["0", "101", "-1", "1e3", "99999999999999999999", "x", "", "0x10", "1.5"])
      assert.deepEqual(broken_fields(await ask(`limit=${limit}`)), ["limit"], limit);
    assert.deepEqual(broken_fields(await ask("limit=0&offset=-1")), ["limit", "offset"]);
    assert.equal((await ask("limit=100&offset=0")).status, 200);
  });

  check("forms and multipart bodies that are broken, and types that nobody speaks", async () => {
    const typed = (type, body) => login(body, { "content-type": type });
    assert_error(await typed("application/x-www-form-urlencoded", "login=%zz&password=x"), 400);
    assert_error(await typed("application/x-www-form-urlencoded", "login=%ff&password=x"), 400);
    assert_error(await typed("multipart/form-data", "--x\r\n\r\n--x--"), 400);
    assert_error(await typed("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"login\"\r\n\r\nada"), 400);
    assert_error(await typed("multipart/form-data; boundary=" + "x".repeat(200), "--x"), 400);
    assert_error(await typed("application/xml", "<login/>"), 400);
    assert_error(await typed("text/", "x"), 400);
  });

  // ---- sizes

  check("413: a body over the route's limit, with and without a length", async () => {
    assert_error(await login({ login: "a".repeat(2 ** 20), password: "x" }), 413, "TOO_LARGE");
    const chunked = await new Promise((done, failed) => {
      const out = request(server.url + "/api/v1/auth/login", { method: "POST", headers: { "content-type": "application/json" } }, (answer) => {
        let text = "";
        answer.on("data", (d) => (text += d));
        answer.on("end", () => done({ status: answer.statusCode, headers: new Headers(answer.headers), text, body: JSON.parse(text) }));
      });
      out.on("error", failed);
      for (let i = 0; i < 64; ++i) out.write(" ".repeat(16 * 1024));
      out.end("{}");
    });
    assert_error(chunked, 413, "TOO_LARGE");
  });

  check("413 or a clean close: a body beyond the ceiling", async () => {
    const head = `POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${2 ** 33}\r\n\r\n`;
    const { text, closed } = await exchange_bytes(server.port, head + " ".repeat(100_000));
    assert.ok(closed);
    if (text) assert_error(read_answer(text), 413);
  });

  check("414: a URL over 8 kB", async () => {
    assert_error(await server.get("/" + "a".repeat(8200)), 414, "URL_TOO_LONG");
    assert_error(await server.get("/api/v1/plans?" + "a=1&".repeat(2100)), 414, "URL_TOO_LONG");
    assert.equal((await server.get("/api/v1/plans?q=" + "a".repeat(7000))).status, 200);
  });

  check("431: over 100 headers", async () => {
    const many = Object.fromEntries(Array.from({ length: 110 }, (_, i) => [`x-${i}`, "1"]));
    assert_error(await server.api("GET", "/api/v1/plans", { headers: many }), 431, "TOO_MANY_HEADERS");
    const some = Object.fromEntries(Object.entries(many).slice(0, 80));
    assert.equal((await server.api("GET", "/api/v1/plans", { headers: some })).status, 200);
  });

  check("a clean close beyond the ceilings of the parser", async () => {
    const head = "GET /api/v1/plans HTTP/1.1\r\nHost: x\r\n";
    for (const bytes of [
      `GET /${"a".repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      head + Array.from({ length: 2000 }, (_, i) => `X-${i}: 1\r\n`).join("") + "\r\n",
      head + `X-Long: ${"a".repeat(200_000)}\r\n\r\n`,
      head + `X-${"a".repeat(5000)}: 1\r\n\r\n`,
    ]) {
      const { closed } = await exchange_bytes(server.port, bytes);
      assert.ok(closed);
    }
  });

  check("what is not HTTP at all", async () => {
    for (const bytes of ["\0\0\0\0\r\n\r\n", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "GET\r\n\r\n", "FROB / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"]) {
      const { closed } = await exchange_bytes(server.port, Buffer.from(bytes, "latin1"));
      assert.ok(closed);
    }
  });

  // ---- routes and methods

  check("404: nothing is there", async () => {
    for (const path of ["/", "/api", "/api/v1", "/api/v1/nothing", "/api/v1/plans/extra", "/api/v1/../v1/plans/", "/%00", "/docs/../keys"]) {
      const url = new URL(server.url);
      const { text } = await exchange_bytes(url.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert_error(read_answer(text), 404);
    }
    assert.equal((await server.get("/api/v1/plans/")).status, 200, "a slash at the end is accepted");
  });

  check("405: there, but not so", async () => {
    for (const [method, path, allowed] of [
      ["DELETE", "/api/v1/plans", "GET"],
      ["GET", "/api/v1/auth/login", "POST"],
      ["PUT", "/api/v1/payments/create", "POST"],
      ["PATCH", "/health", "GET"],
    ]) {
      const answer = await server.api(method, path);
      assert_error(answer, 405, "METHOD_NOT_ALLOWED");
      assert.ok(answer.headers.get("allow").split(", ").includes(allowed), answer.headers.get("allow"));
      assert.ok(!answer.headers.get("allow").split(", ").includes(method));
    }
  });

  check("a request id that is sent comes back, unless it could do harm", async () => {
    const ask = (id) => server.api("GET", "/api/v1/nothing", { headers: { "x-request-id": id } });
    assert.equal(assert_error(await ask("my-Id_1.2"), 404).request_id, "my-Id_1.2");
    for (const bad of ["a b", "x".repeat(129), "<script>", '"']) assert.notEqual(assert_error(await ask(bad), 404).request_id, bad);
  });

  // ---- tokens

  check("tokens: none, garbage, tampered, foreign, of the wrong kind", async () => {
    const { token, refresh_token } = account;
    assert.equal((await me(token)).status, 200);
    const [header, payload, signature] = token.split(".");
    const claims = claims_of(token);
    const raised = base64url({ ...claims, role: "super_admin" });
    const flipped = (signature[0] === "A" ? "B" : "A") + signature.slice(1);
    const own_key = Buffer.from(readFileSync(join(server.data, "keys"), "utf8").trim(), "base64url");
    const bad = {
      missing: undefined,
      garbage: "garbage",
      dots: "..",
      tampered: `${header}.${raised}.${signature}`,
      "with a flipped signature": `${header}.${payload}.${flipped}`,
      "without a signature": `${header}.${payload}.`,
      none: make_token({ alg: "none", typ: "JWT" }, claims),
      NoNe: make_token({ alg: "NoNe" }, { ...claims, role: "super_admin" }),
      foreign: make_token({ alg: "HS256", typ: "JWT" }, claims, "another key of thirty-two bytes!!"),
      "an empty key": make_token({ alg: "HS256", typ: "JWT" }, claims, Buffer.alloc(0)),
      "another algorithm": make_token({ alg: "HS512", typ: "JWT" }, claims, own_key),
      refresh: refresh_token,
      "another kind": make_token(JSON.parse(Buffer.from(header, "base64url")), { ...claims, type: "refresh" }, own_key),
      "another audience": make_token(JSON.parse(Buffer.from(header, "base64url")), { ...claims, aud: "elsewhere" }, own_key),
      long: "a".repeat(7000),
    };
    for (const [kind, each] of Object.entries(bad)) {
      const answer = await me(each);
      assert.equal(answer.status, 401, kind);
      assert_error(answer, 401);
    }
    for (const authorization of ["Bearer", "Bearer  ", `Basic ${token}`, `bearer${token}`, `Bearer ${token} ${token}`])
      assert_error(await server.api("GET", "/api/v1/auth/me", { headers: { authorization } }), 401);
    assert_error(await server.post("/api/v1/auth/refresh", { refresh_token: token }), 401);
    assert_error(await server.post("/api/v1/auth/refresh", { refresh_token: "garbage" }), 401);
    assert.equal((await me(token)).status, 200, "the good one still is");
  });

  check("an expired token, and a refresh token after its time", async () => {
    const session = await server.sign_in("ada");
    await server.control("POST", "clock", { advance_seconds: 15 * 60 + 1 });
    assert_error(await me(session.token), 401);
    const refreshed = await server.post("/api/v1/auth/refresh", { refresh_token: session.refresh_token });
    assert.equal(refreshed.status, 200, refreshed.text);
    assert.equal((await me(refreshed.body.access_token)).status, 200);
    await server.control("POST", "clock", { advance_seconds: 8 * 24 * 3600 });
    assert_error(await server.post("/api/v1/auth/refresh", { refresh_token: refreshed.body.refresh_token }), 401);
    await server.control("POST", "clock", { offset_seconds: 0 });
  });

  check("what needs a role is refused without it", async () => {
    const paid = await server.post("/api/v1/payments/create", { plan_id: (await server.plan("Basic Monthly")).id, currency: "USD" }, account.token);
    assert.equal(paid.status, 201, paid.text);
    const stranger = await server.sign_up("grace");
    for (const path of [
      `/api/v1/payments/${paid.body.payment_id}/status`,
      `/api/v1/payments/${paid.body.invoice_id}/status`,
      `/api/v1/payments/history?user_uuid=${account.id}`,
      `/api/v1/subscriptions/config/${account.id}`,
    ])
      assert_error(await server.get(path, stranger.token), 404);
    assert.deepEqual(broken_fields(await server.get("/api/v1/subscriptions/config/not-a-uuid", stranger.token)), ["user_uuid"]);
    const create = (body) => server.post("/api/v1/payments/create", { plan_id: "Basic Monthly", currency: "USD", ...body }, stranger.token);
    assert_error(await create({ user_uuid: account.id }), 404);
    assert.deepEqual(broken_fields(await create({ user_uuid: "not-a-uuid" })), ["user_uuid"]);
  });

  check("an Idempotency-Key that is none", async () => {
    const create = (key) => server.post("/api/v1/payments/create", { plan_id: "Basic Monthly", currency: "USD" }, account.token, { "idempotency-key": key });
    for (const key of ["x".repeat(256), "with space", "\xe9"]) assert.deepEqual(broken_fields(await create(key)), ["Idempotency-Key"], key);
  });

  // ---- WebSockets

  const socket_url = (query) => `ws://127.0.0.1:${server.port}/ws/notifications${query}`;
  const handshake = (path, fields) =>
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: Upgrade\r\n` +
    Object.entries({ Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", ...fields })
      .filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`).join("") + "\r\n";

  check("a ticket twice, late, made up, or a token instead", async () => {
    const ticket = await server.ticket(account.token);
    const socket = await open_socket(socket_url(`?ticket=${ticket}`));
    const refused = (url) => assert.rejects(open_socket(url), (error) => {
      assert.ok([401, 403].includes(error.status), `${error}`);
      const body = JSON.parse(error.body);
      assert.equal(body.detail, body.error.message);
      assert.ok(body.request_id);
      return true;
    });
    await refused(socket_url(`?ticket=${ticket}`));
    await refused(socket_url(`?ticket=${"0".repeat(32)}`));
    await refused(socket_url(`?ticket=${account.token}`));
    await refused(socket_url(`?token=${account.token}`));
    await refused(socket_url(""));
    const late = await server.ticket(account.token);
    await server.control("POST", "clock", { advance_seconds: 31 });
    await refused(socket_url(`?ticket=${late}`));
    await server.control("POST", "clock", { offset_seconds: 0 });
    await socket.close();
  });

  check("handshakes that are none", async () => {
    const attempt = async (fields, path = "/ws/notifications?ticket=x") => {
      const whole = (bytes) => bytes.includes("\r\n\r\n") && bytes.toString("latin1").endsWith("}");
      const { text } = await exchange_bytes(server.port, handshake(path, fields), { enough: whole });
      return read_answer(text);
    };
    const old = await attempt({ "Sec-WebSocket-Version": "8" });
    assert_error(old, 426);
    assert.equal(old.headers.get("sec-websocket-version"), "13");
    assert_error(await attempt({ "Sec-WebSocket-Key": "short" }), 400);
    assert_error(await attempt({ "Sec-WebSocket-Key": undefined }), 400);
    assert_error(await attempt({ Upgrade: "h2c" }), 426);
    assert_error(await attempt({ Origin: "https://elsewhere.example" }), 403, "ORIGIN_REFUSED");
    assert_error(await attempt({}, "/ws/nothing?ticket=x"), 404);
    const plain = await server.get("/ws/notifications");
    assert.ok([404, 426].includes(plain.status), plain.text);
  });

  /** Opens a WebSocket by hand, sends bytes, and returns all that comes until the close. */
  async function frames_after_handshake(bytes) {
    const opening = handshake(`/ws/notifications?ticket=${await server.ticket(account.token)}`);
    const { bytes: all, closed } = await exchange_bytes(server.port, opening, { then: bytes });
    assert.ok(closed);
    const end = all.indexOf("\r\n\r\n");
    assert.match(all.subarray(0, end).toString(), /^HTTP\/1\.1 101 /);
    return all.subarray(end + 4);
  }

  const close_code = (frames) => {
    const at = frames.indexOf(0x88);
    return at < 0 ? undefined : frames.readUInt16BE(at + 2);
  };

  const resident = () => Number(readFileSync(`/proc/${server.process.pid}/statm`, "utf8").split(" ")[1]) * 4096;

  check("a frame of 14 bytes that claims 512 MiB takes no memory and is closed 1009", async () => {
    const before = resident();
    const frame = Buffer.alloc(14);
    frame.writeUInt8(0x81, 0);
    frame.writeUInt8(0x80 | 127, 1);
    frame.writeBigUInt64BE(512n * 2n ** 20n, 2);
    assert.equal(close_code(await frames_after_handshake(frame)), 1009);
    frame.writeBigUInt64BE(2n ** 63n, 2);
    assert.ok([1002, 1009].includes(close_code(await frames_after_handshake(frame))));
    assert.ok(resident() - before < 32 * 2 ** 20, "memory was taken for it");
  });

  check("garbage in a WebSocket is closed with its reason", async () => {
    const masked = (first, payload) => Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
    for (const [bytes, code] of [
      [Buffer.from("GET / HTTP/1.1\r\n\r\n"), 1002], // its first bytes are an unmasked frame with reserved bits
      [Buffer.from([0x81, 0x01, 0x61]), 1002], // not masked
      [Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), 1002], // reserved bits
      [masked(0x83, Buffer.from("x")), 1002], // an unknown kind
      [masked(0x80, Buffer.from("x")), 1002], // a continuation of nothing
      [masked(0x81, Buffer.from("ff", "hex")), 1007], // no UTF-8
    ])
      assert.equal(close_code(await frames_after_handshake(bytes)), code, bytes.toString("hex"));
  });

  check("more messages than a person sends are closed, not served for ever", async () => {
    const socket = await server.socket("/ws/monitoring", account.token);
    for (let i = 0; i < 5000 && socket.ws.readyState === 1; ++i) socket.send({ type: "ping" });
    assert.equal((await socket.closed).code, 1008);
  });

  // ---- the sandbox and the control port

  check("421: the sandbox does not answer to a foreign Host, nor to a page from elsewhere", async () => {
    const ask = async (fields) => {
      const { text } = await exchange_bytes(server.sandbox_port, `GET /sandbox/mail HTTP/1.1\r\nConnection: close\r\n${fields}\r\n`);
      return Number(text.split(" ")[1]);
    };
    assert.equal(await ask("Host: evil.example\r\n"), 421);
    assert.equal(await ask("Host: 127.0.0.1.evil.example\r\n"), 421);
    assert.equal(await ask("Host: localhost\r\nOrigin: https://evil.example\r\n"), 403);
    assert.equal(await ask("Host: localhost\r\n"), 200);
  });

  check("the sandbox refuses what it does not understand", async () => {
    const post = async (path, body) => (await fetch(`${server.sandbox_url}/sandbox/${path}`, { method: "POST", body })).status;
    assert.equal(await post("faults", "{"), 400);
    assert.equal(await post("faults", '{"system":"moon"}'), 400);
    assert.equal(await post("faults", '{"system":"mail","error_rate":2}'), 400);
    assert.equal(await post("clock", '{"offset_seconds":1e99}'), 400);
    assert.equal(await post("cryptobot/invoices/999999/pay"), 404);
    assert.equal(await post("cryptobot/invoices/x/pay"), 400);
    assert.equal(await post("crash/nobody"), 404);
    assert.equal((await fetch(`${server.sandbox_url}/sandbox/nothing`)).status, 404);
  });

  check("401: the control port without its token, which only the owner can read", async () => {
    const file = join(server.data, "control.json");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const { url, token } = JSON.parse(readFileSync(file, "utf8"));
    const crash = (authorization) => fetch(`${url}/control/crash/hub`, { method: "POST", headers: authorization ? { authorization } : {} });
    for (const authorization of [undefined, "Bearer ", "Bearer wrong", `Basic ${token}`]) assert.equal((await crash(authorization)).status, 401);
    assert.equal((await server.post("/control/crash/hub")).status, 404, "it is not on the public port");
    const { body } = await server.get("/health");
    assert.equal(body.components.find((each) => each.name === "hub").restarts, 0);
  });
});
