// Guessing passwords from many addresses at one account, and from one address at many accounts; a kill -9 in between
// forgives nothing. TEST_LONG=1 does it with ten thousand.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { with_house } from "../chaos/house.js";
import { assert_error, password } from "./server.js";

const many = process.env.TEST_LONG ? 10_000 : 200;

/** Limits as in production, addresses as a proxy tells them. */
const settings = {
  "http.trusted_proxies": "127.0.0.1",
  "limits.guess_per_minute": 5,
  "limits.guess_per_hour": 10,
  "limits.login_per_address": 60,
};

const address = (i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

/** Calls `task(0)` to `task(count - 1)`, 32 at a time, and returns what they returned. */
async function in_crowd(count, task) {
  const results = [];
  let next = 0;
  const walk = async () => {
    while (next < count) {
      const i = next++;
      results[i] = await task(i);
    }
  };
  await Promise.all(Array.from({ length: 32 }, walk));
  return results;
}

const known_device = (sign_in) => sign_in.headers.getSetCookie().find((each) => each.startsWith("known_device=")).split(";")[0];

const count = (answers, status) => answers.filter((each) => each.status === status).length;

describe("brute force", () => {
  const house = with_house(settings, async () => {
    for (const login of ["known", "owner", "same"]) assert.equal((await register(login)).status, 201);
  });
  let last_address = 1;
  const from = (i) => ({ "x-forwarded-for": address(i) });
  const register = (login) => house.post("/api/v1/auth/register", { login, password, tos_accepted: true }, undefined, from(++last_address));
  const guess = (login, i, secret = "Wrong-Horse-7-Battery") => house.post("/api/v1/auth/login", { login, password: secret }, undefined, from(i));
  const advance = (seconds) => house.control("POST", "clock", { advance_seconds: seconds });

  /** The owner, at the browser that has signed in before. */
  const sign_in_at_home = (cookie) =>
    house.post("/api/v1/auth/login", { login: "known", password }, undefined, { ...from(++last_address), cookie });

  const restart = async () => {
    await house.kill();
    await house.start();
  };

  // An identifier that nobody has is counted and locked like an account.
  for (const login of ["known", "unknown"])
    it(`from ${many} addresses at one ${login} account: ten guesses an hour, also over kill -9`, async () => {
      const crowd = () => in_crowd(many, () => guess(login, ++last_address));
      const home = login === "known" && known_device(await guess(login, ++last_address, password));
      const owner_gets_in = async () => {
        if (home) assert.equal((await sign_in_at_home(home)).status, 200, "strangers lock no owner out");
      };
      const first = await crowd();
      assert.equal(count(first, 401), 5, "five at once");
      assert.equal(count(first, 423), many - 5);
      for (const refused of first.filter(({ status }) => status === 423)) {
        const wait = Number(refused.headers.get("retry-after"));
        assert.ok(wait > 0 && wait <= 31, `Retry-After: ${wait}`); // a second may pass between two that are parallel
      }
      await owner_gets_in();
      await restart();
      assert.equal(count(await crowd(), 423), many, "a restart forgives nothing");
      await advance(61);
      assert.equal(count(await crowd(), 401), 5, "five more in another minute");
      for (const minutes of [2, 20, 30]) {
        await advance(minutes * 60);
        await restart();
        const later = await crowd();
        assert.equal(count(later, 423), many, `ten an hour, not one more after ${minutes} minutes`);
        assert.ok(Number(later[0].headers.get("retry-after")) <= 3600);
        await owner_gets_in();
      }
      await advance(3600);
      if (login === "known") assert.equal((await guess(login, ++last_address, password)).status, 200, "it is not for ever");
      assert.equal((await guess(login, ++last_address)).status, 401);
    });

  it(`from one address at ${many} accounts: sixty guesses a minute`, async () => {
    for (const forwarded_for of [address(0xfffffe), "2001:db8:1:2:"]) {
      // Who owns a /64 is one address.
      const address_of = (i) => (forwarded_for.endsWith(":") ? `${forwarded_for}${i.toString(16)}:${i.toString(16)}::1` : forwarded_for);
      for (const when of ["before a kill -9", "after it"]) {
        const begun = Date.now();
        const answers = await in_crowd(many, (i) =>
          house.post("/api/v1/auth/login", { login: `nobody_${i}`, password }, undefined, { "x-forwarded-for": address_of(i) }),
        );
        const minutes = Math.ceil((Date.now() - begun) / 60_000);
        const guessed = count(answers, 401);
        assert.ok(guessed >= 60 && guessed <= 60 * minutes, `${when}: ${guessed} in ${minutes} minutes`);
        assert.equal(count(answers, 429), many - guessed);
        for (const refused of answers.filter(({ status }) => status === 429)) assert_error(refused, 429, "RATE_LIMIT_EXCEEDED");
        await restart();
      }
    }
  });

  it("an address is what a trusted proxy says, not what a client claims to be", async () => {
    const claims = (i) => ({ "x-forwarded-for": `${address(i)}, 198.51.100.7` });
    const answers = await in_crowd(80, (i) =>
      house.post("/api/v1/auth/login", { login: `claims_${i}`, password }, undefined, claims(i + 1)),
    );
    assert.equal(count(answers, 401), 60);
    assert.equal(count(answers, 429), 20);
  });

  it("known and unknown get the same answers to the byte", async () => {
    const seen = async (login) => {
      const answers = [];
      for (let i = 0; i < 7; ++i) {
        const { status, headers, text } = await guess(login, ++last_address);
        const lasting = [...headers].filter(([name]) => !["date", "x-request-id", "retry-after"].includes(name));
        answers.push({ status, headers: lasting, text: text.replace(headers.get("x-request-id"), "…").replace(/\d+ seconds/, "… seconds") });
      }
      return answers;
    };
    const [known, unknown] = [await seen("same"), await seen("sane")];
    assert.deepEqual(known, unknown);
    assert.deepEqual(known.map(({ status }) => status), [401, 401, 401, 401, 401, 423, 423]);
    // Right or wrong, while it rests nobody learns more.
    const right = await guess("same", ++last_address, password);
    assert.equal(right.status, 423);
  });
});
