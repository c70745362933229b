// The second factor and biometric sign-in, as an app meets them. Codes are computed here, from RFC 6238 alone.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { describe } from "node:test";

import { assert_as_agreed } from "./contract.js";
import { assert_error, broken_fields, password, phone, with_server } from "./server.js";

const agreed = (method, path, answer) => assert_as_agreed("mobile", method, path, answer);

function from_base32(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...text].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

function code_at(secret, seconds) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const mac = createHmac("sha1", from_base32(secret)).update(counter).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

const wrong_code = (right) => String((Number(right) + 1) % 1_000_000).padStart(6, "0");

/** The paths, and a clock that is moved for each new code: one is good once. */
function at(server) {
  let offset = 0;
  const advance = async (seconds) => {
    offset += seconds;
    await server.control("POST", "clock", { offset_seconds: offset });
  };
  return {
    advance,
    next_code: async (secret) => {
      await advance(30);
      return code_at(secret, Date.now() / 1000 + offset);
    },
    status: (token) => server.get("/api/v1/2fa/status", token),
    reauth: (token, body = { password }) => server.post("/api/v1/2fa/reauth", body, token),
    setup: (token) => server.post("/api/v1/2fa/setup", undefined, token),
    verify: (token, code) => server.post("/api/v1/2fa/verify", { code }, token),
    validate: (token, code) => server.post("/api/v1/2fa/validate", { code }, token),
    disable: (method, token, body) => server.api(method, "/api/v1/2fa/disable", { token, body }),
    login: (login, secret = password) => server.post("/api/v1/auth/login", { login, password: secret }),
    me: (token) => server.get("/api/v1/auth/me", token),
    enroll: (token, body) => server.post("/api/v1/mobile/auth/biometric/enroll", body, token),
    challenge: (body) => server.post("/api/v1/mobile/auth/biometric/challenge", body),
    device_login: (body) => server.post("/api/v1/mobile/auth/biometric/login", body),
  };
}

/** Turns the second factor on; returns its secret and recovery codes. */
async function turn_on(api, token) {
  const { body } = await api.setup(token);
  const verified = await api.verify(token, await api.next_code(body.secret));
  assert.equal(verified.status, 200, verified.text);
  return { secret: body.secret, recovery_codes: verified.body.recovery_codes };
}

/** The answer of a first step: no session, but what the second step needs. */
function assert_asks_second_step(answer) {
  assert.equal(answer.status, 200, answer.text);
  const { requires_2fa, tfa_token, access_token, refresh_token, expires_in, user } = answer.body;
  assert.deepEqual([requires_2fa, access_token, refresh_token, expires_in, user], [true, "", "", 0, undefined]);
  assert.match(tfa_token, /^[\w-]{43}$/);
  return tfa_token;
}

const settings = { "limits.general": "10000" };

describe("the second factor", () => {
  const { server, check } = with_server({ settings });
  const api = at(server);
  let ada, factor;

  check("setting up needs a fresh sign-in or the password", async () => {
    ada = await server.sign_up("ada");
    assert.equal(agreed("GET", "/api/v1/2fa/status", await api.status(ada.token)).body.status, "disabled");
    assert.equal((await api.setup(ada.token)).status, 200);
    await api.advance(301);
    assert_error(await api.setup(ada.token), 403, "REAUTHENTICATION_REQUIRED");
    assert_error(await api.reauth(ada.token, { password: "wrong" }), 400, "INVALID_PASSWORD");
    assert.deepEqual(broken_fields(await api.reauth(ada.token, {})), ["password"]);
    assert.equal(agreed("POST", "/api/v1/2fa/reauth", await api.reauth(ada.token)).body.valid_for_minutes, 5);
    const { body } = agreed("POST", "/api/v1/2fa/setup", await api.setup(ada.token));
    assert.match(body.secret, /^[A-Z2-7]{32}$/);
    const uri = new URL(body.qr_uri);
    assert.equal(uri.protocol + uri.host + decodeURIComponent(uri.pathname), "otpauth:totp/Backstay:ada@example.com");
    assert.deepEqual(Object.fromEntries(uri.searchParams), {
      secret: body.secret, issuer: "Backstay", algorithm: "SHA1", digits: "6", period: "30",
    });
    assert.equal(body.qr_code_uri, body.qr_uri);
    const picture = Buffer.from(body.qr_image.split("data:image/png;base64,")[1], "base64");
    assert.equal(picture.subarray(1, 4).toString(), "PNG");
    factor = body;
  });

  check("the first code turns it on, and recovery codes are shown once", async () => {
    assert_error(await api.validate(ada.token, "12345x"), 422);
    for (const code of ["12345", "abcdef", "A1B2C3D4", "", 123456])
      assert.deepEqual(broken_fields(await api.verify(ada.token, code)), ["code"], JSON.stringify(code));
    const code = await api.next_code(factor.secret);
    assert_error(await api.verify(ada.token, wrong_code(code)), 400, "INVALID_CODE");
    assert.equal((await api.validate(ada.token, code)).body.valid, false, "not on yet");
    const { body } = agreed("POST", "/api/v1/2fa/verify", await api.verify(ada.token, code));
    assert.deepEqual([body.status, body.verified], ["enabled", true]);
    assert.equal(new Set(body.recovery_codes).size, 8);
    for (const each of body.recovery_codes) assert.match(each, /^[0-9A-F]{8}$/);
    factor.recovery_codes = body.recovery_codes;
    assert.deepEqual((await api.status(ada.token)).body, {
      status: "enabled", recovery_codes: null, recovery_codes_remaining: 8,
    });
    assert_error(await api.setup(ada.token), 400, "TWO_FACTOR_ENABLED");
    assert_error(await api.verify(ada.token, code), 400, "INVALID_CODE");
  });

  check("who is signed in may ask whether a code is good, once", async () => {
    const code = await api.next_code(factor.secret);
    assert.deepEqual((await api.validate(ada.token, wrong_code(code))).body, { valid: false });
    assert.deepEqual((await api.validate(ada.token, code)).body, { valid: true });
    assert.deepEqual((await api.validate(ada.token, code)).body, { valid: false });
    await api.advance(60);
  });

  check("a sign-in by password ends with a code, once", async () => {
    const tfa_token = assert_asks_second_step(await api.login("ada"));
    assert_error(await api.me(tfa_token), 401);
    assert_error(await api.validate(undefined, "123456"), 401, "INVALID_TOKEN");
    assert_error(await api.validate("garbage", "123456"), 401, "INVALID_TOKEN");
    const code = await api.next_code(factor.secret);
    assert_error(await api.validate(tfa_token, wrong_code(code)), 400, "INVALID_CODE");
    const { body } = agreed("POST", "/api/v1/2fa/validate", await api.validate(tfa_token, code));
    assert.deepEqual([body.valid, body.requires_2fa, body.user.login, body.expires_in], [true, false, "ada", 900]);
    assert.equal((await api.me(body.access_token)).body.id, ada.id);
    assert_error(await api.validate(tfa_token, await api.next_code(factor.secret)), 401, "INVALID_TOKEN");
  });

  check("every other way asks for it too", async () => {
    const email = "grace@example.com";
    const registered = await server.post("/api/v1/mobile/auth/register", { email, password, device: phone });
    const { access_token } = registered.body.tokens;
    const enrolled = await api.enroll(access_token, { device_id: phone.device_id });
    const { secret } = await turn_on(api, access_token);
    const ways = {
      password: await server.post("/api/v1/mobile/auth/login", { email, password, device: phone }),
      mailed_code: await server.post("/api/v1/auth/verify-otp", { email, code: await server.mailed_code(email) }),
      biometric: await api.device_login({ device_id: phone.device_id, device_token: enrolled.body.device_token }),
    };
    for (const [way, answer] of Object.entries(ways)) {
      const finished = await api.validate(assert_asks_second_step(answer), await api.next_code(secret));
      assert.equal(finished.status, 200, `${way}: ${finished.text}`);
      assert.equal((await api.me(finished.body.access_token)).body.email, email);
    }
  });

  check("a recovery code signs in, once", async () => {
    const [code] = factor.recovery_codes;
    const tfa_token = assert_asks_second_step(await api.login("ada"));
    assert.equal((await api.validate(tfa_token, code.toLowerCase())).status, 200);
    assert_error(await api.validate(assert_asks_second_step(await api.login("ada")), code), 400, "INVALID_CODE");
    ada.token = (await api.validate(assert_asks_second_step(await api.login("ada")), factor.recovery_codes[1])).body.access_token;
    assert.equal((await api.status(ada.token)).body.recovery_codes_remaining, 6);
  });

  check("of parallel second steps one ends with a session", async () => {
    const tfa_token = assert_asks_second_step(await api.login("ada"));
    const code = await api.next_code(factor.secret);
    const answers = await Promise.all(Array.from({ length: 64 }, () => api.validate(tfa_token, code)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    await api.advance(3600); // the others were guesses
  });

  check("the second step waits for five minutes", async () => {
    const tfa_token = assert_asks_second_step(await api.login("ada"));
    await api.advance(270);
    const code = await api.next_code(factor.secret);
    assert_error(await api.validate(tfa_token, code), 401, "INVALID_TOKEN");
    const finished = await api.validate(assert_asks_second_step(await api.login("ada")), code);
    assert.equal(finished.status, 200, "the code was not used up");
    ada.token = finished.body.access_token;
  });

  check("turning it off needs the password, or a fresh sign-in, and a code", async () => {
    const code = await api.next_code(factor.secret);
    assert.deepEqual(broken_fields(await api.disable("DELETE", ada.token, { code })), ["password"]);
    assert.deepEqual(broken_fields(await api.disable("DELETE", ada.token, {})), ["code"]);
    assert_error(await api.disable("DELETE", ada.token, { password: "wrong", code }), 400, "INVALID_PASSWORD");
    assert_error(await api.disable("DELETE", ada.token, { password, code: wrong_code(code) }), 400, "INVALID_CODE");
    const waiting = assert_asks_second_step(await api.login("ada"));
    const off = agreed("DELETE", "/api/v1/2fa/disable", await api.disable("DELETE", ada.token, { password, code }));
    assert.deepEqual(off.body, { status: "disabled", recovery_codes: [] });
    assert_error(await api.validate(waiting, factor.recovery_codes[2]), 401, "INVALID_TOKEN");
    assert_error(await api.disable("DELETE", ada.token, { password, code }), 400, "TWO_FACTOR_NOT_ENABLED");
    assert.equal((await api.login("ada")).body.requires_2fa, false);
  });

  check("the app posts a code alone", async () => {
    const { secret } = await turn_on(api, (await server.sign_in("ada")).token);
    const finished = await api.validate(assert_asks_second_step(await api.login("ada")), await api.next_code(secret));
    const token = finished.body.access_token;
    await api.advance(300);
    assert_error(await api.disable("POST", token, { code: await api.next_code(secret) }), 403, "REAUTHENTICATION_REQUIRED");
    assert.equal((await api.reauth(token)).status, 200);
    agreed("POST", "/api/v1/2fa/disable", await api.disable("POST", token, { code: await api.next_code(secret) }));
    assert.equal((await api.status(token)).body.status, "disabled");
  });

  check("none of it is for strangers", async () => {
    for (const ask of [api.status, api.setup]) assert_error(await ask(undefined), 401);
    assert_error(await api.verify(undefined, "123456"), 401);
    assert_error(await api.reauth(undefined), 401);
    for (const method of ["DELETE", "POST"])
      assert_error(await api.disable(method, undefined, { password, code: "123456" }), 401);
  });
});

describe("deleting an account with a second factor", () => {
  const { server, check } = with_server({ settings });
  const api = at(server);
  const remove = (token, body) => server.post("/api/v1/auth/me/delete", body, token);

  check("wants a code beside the password, and a wrong one deletes nothing", async () => {
    const { token } = await server.sign_up("gone");
    const { secret } = await turn_on(api, token);
    assert_error(await remove(token, { password }), 403, "SECOND_FACTOR_REQUIRED");
    const code = await api.next_code(secret);
    assert_error(await remove(token, { password, totp_code: wrong_code(code) }), 403, "INVALID_CODE");
    assert.equal((await api.me(token)).status, 200);
    const removed = await remove(token, { password, totp_code: code });
    assert.equal(removed.status, 200, removed.text);
    assert_error(await api.me(token), 401);
  });
});

describe("guessing codes", () => {
  const { server, check } = with_server({ settings });
  const api = at(server);
  let secret, tfa_token;

  check("five tries end a second step, and passwords share their budget", async () => {
    const { token } = await server.sign_up("ada");
    ({ secret } = await turn_on(api, token));
    tfa_token = assert_asks_second_step(await api.login("ada"));
    const code = await api.next_code(secret);
    for (let i = 0; i < 5; ++i) assert_error(await api.validate(tfa_token, wrong_code(code)), 400, "INVALID_CODE");
    assert_error(await api.validate(tfa_token, code), 401, "INVALID_TOKEN");
    assert_error(await api.validate(token, code), 429);
    assert_error(await api.verify(token, code), 429);
    assert_error(await api.reauth(token), 423);
    assert_error(await api.disable("DELETE", token, { password, code }), 423);
    assert_error(await api.login("ada"), 423);
  });

  check("the budget outlives a kill", async () => {
    await server.stop("SIGKILL");
    await server.start();
    assert_error(await api.login("ada"), 423);
    await api.advance(60);
    tfa_token = assert_asks_second_step(await api.login("ada"));
    assert.equal((await api.validate(tfa_token, await api.next_code(secret))).status, 200);
  });

  check("wrong passwords use up the tries for codes", async () => {
    await api.advance(3600);
    tfa_token = assert_asks_second_step(await api.login("ada"));
    for (let i = 0; i < 5; ++i) assert_error(await api.login("ada", "wrong"), 401);
    assert_error(await api.validate(tfa_token, "123456"), 429);
  });
});

describe("biometric sign-in", () => {
  const { server, check } = with_server({ settings });
  const api = at(server);
  const { device_id } = phone;
  const other_device = "3f0e8b5e-6f0a-4c57-9d55-0d2f3c5b7a12";
  let ada, device_token;

  check("a device keeps a token that signs it in again and again", async () => {
    ada = await server.sign_up("ada");
    const enrolled = agreed("POST", "/api/v1/mobile/auth/biometric/enroll", await api.enroll(ada.token, { device_id }));
    ({ device_token } = enrolled.body);
    const days = (Date.parse(enrolled.body.expires_at) - Date.now()) / 86_400_000;
    assert.ok(Math.abs(days - 180) < 0.1, `${days} days`);
    for (let i = 0; i < 2; ++i) {
      const answer = agreed("POST", "/api/v1/mobile/auth/biometric/login", await api.device_login({ device_id, device_token }));
      assert.equal((await api.me(answer.body.access_token)).body.id, ada.id);
    }
  });

  check("a stored token is no fresh sign-in", async () => {
    const { body } = await api.device_login({ device_id, device_token });
    assert_error(await api.setup(body.access_token), 403, "REAUTHENTICATION_REQUIRED");
  });

  check("another device, or another token, is refused alike", async () => {
    for (const body of [{ device_id: other_device, device_token }, { device_id, device_token: "guessed" }])
      assert_error(await api.device_login(body), 401, "INVALID_DEVICE_TOKEN");
  });

  check("broken fields are named", async () => {
    assert.deepEqual(broken_fields(await api.enroll(ada.token, {})), ["device_id"]);
    assert.deepEqual(broken_fields(await api.enroll(ada.token, { device_id: "short" })), ["device_id"]);
    assert.deepEqual(broken_fields(await api.enroll(ada.token, { device_id, public_key: "AAAA" })), ["public_key"]);
    assert.deepEqual(broken_fields(await api.enroll(ada.token, { device_id: other_device })), ["device_id"]);
    assert.deepEqual(broken_fields(await api.challenge({})), ["device_id"]);
    assert.deepEqual(broken_fields(await api.device_login({ device_id })), ["device_token"]);
    assert.deepEqual(broken_fields(await api.device_login({ device_id, device_token, challenge: "x" })), ["signature"]);
    assert.deepEqual(broken_fields(await api.device_login({ device_token, credential_id: "x" })), ["credential_id", "device_id"]);
    assert_error(await api.enroll(undefined, { device_id }), 401);
  });

  check("logging out of the device ends it", async () => {
    const { body } = await api.device_login({ device_id, device_token });
    const out = await server.post("/api/v1/mobile/auth/logout", { refresh_token: body.refresh_token });
    assert.equal(out.status, 204, out.text);
    assert_error(await api.device_login({ device_id, device_token }), 401, "INVALID_DEVICE_TOKEN");
  });

  check("a device with a key signs challenges, each once", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const public_key = publicKey.export({ type: "spki", format: "der" }).toString("base64");
    const { token } = await server.sign_in("ada");
    const { body: enrolled } = await api.enroll(token, { device_id, public_key });
    const { credential_id } = enrolled;
    const { body } = await api.challenge({ device_id });
    assert.equal(body.expires_in, 120);
    const { challenge } = body;
    const signature = sign("sha256", Buffer.from(challenge), privateKey).toString("base64");
    const shown = { device_id, credential_id, challenge, signature };
    const answer = await api.device_login(shown);
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await api.me(answer.body.access_token)).body.id, ada.id);
    assert_error(await api.device_login(shown), 401, "INVALID_DEVICE_TOKEN");
    assert_error(await api.device_login({ device_id, device_token: enrolled.device_token }), 401, "INVALID_DEVICE_TOKEN");
    const late = (await api.challenge({ device_id })).body.challenge;
    await api.advance(121);
    const late_signature = sign("sha256", Buffer.from(late), privateKey).toString("base64");
    assert_error(await api.device_login({ ...shown, challenge: late, signature: late_signature }), 401);
  });

  check("a credential of one account is nothing to another", async () => {
    const grace = await server.sign_up("grace");
    const { body: hers } = await api.enroll(grace.token, { device_id });
    const answer = await api.device_login({ device_id, device_token: hers.device_token });
    assert.equal((await api.me(answer.body.access_token)).body.id, grace.id, "two accounts on one phone");
  });
});
