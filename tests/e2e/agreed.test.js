// What several families share is what the contract says, field by field; and whatever is served has its golden example.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { assert_as_agreed } from "./contract.js";
import { password, phone, root, with_server } from "./server.js";

describe("signing up and in", () => {
  const { server, check } = with_server();
  const agreed = (method, path, answer) => assert_as_agreed("mobile", method, path, answer).body;
  const post = async (path, body, token) => agreed("POST", path, await server.post(path, body, token));

  check("by the web client", async () => {
    const email = "ada@example.com";
    await post("/api/v1/auth/register", { login: "ada", email, password, tos_accepted: true });
    await post("/api/v1/auth/resend-otp", { email: "somebody@example.com" });
    await post("/api/v1/auth/verify-otp", { email, code: await server.mailed_code(email) });
    const { access_token, refresh_token } = await post("/api/v1/auth/login", { login_or_email: "ada", password });
    agreed("GET", "/api/v1/auth/me", await server.get("/api/v1/auth/me", access_token));
    const next = await post("/api/v1/auth/refresh", { refresh_token });
    await post("/api/v1/auth/logout", { refresh_token: next.refresh_token });
  });

  check("by the phone", async () => {
    const form = { email: "bob@example.com", password, device: phone };
    await post("/api/v1/mobile/auth/register", form);
    const { refresh_token } = await post("/api/v1/mobile/auth/login", form);
    const next = await post("/api/v1/mobile/auth/refresh", { refresh_token, device_id: phone.device_id });
    await post("/api/v1/mobile/auth/logout", { refresh_token: next.refresh_token });
  });
});

describe("golden examples", () => {
  const read = (file) => JSON.parse(readFileSync(join(root, "tests/contract", file), "utf8"));
  const served = {
    mobile: ["/api/v1/auth", "/api/v1/mobile", "/api/v1/2fa", "/api/v1/oauth", "/api/v1/plans", "/api/v1/payments", "/api/v1/billing",
      "/api/v1/trial", "/api/v1/subscriptions", "/api/v1/referral", "/api/v1/config-profiles", "/api/v1/users"],
    connect: ["/v1/auth"],
    workspace: ["/api/v1/auth", "/api/v1/profile", "/api/v1/user/"],
    console: ["/api/v1/auth"],
  };
  /** Where documents meet, one example serves them all; some come with a later domain. */
  const elsewhere = ["/api/v1/auth/login", "/api/v1/auth/logout", "/api/v1/auth/me", "/api/v1/auth/register",
    "/api/v1/auth/refresh", "/api/v1/auth/notifications"];

  for (const [family, prefixes] of Object.entries(served))
    it(`${family} has one for each entry`, () => {
      const examples = read(`examples/${family}.json`);
      const without = read(`${family}.json`)
        .filter(({ path }) => prefixes.some((prefix) => path.startsWith(prefix)))
        .filter(({ path }) => family === "mobile" || !elsewhere.includes(path))
        .map(({ method, path }) => `${method} ${path}`)
        .filter((name) => !(name in examples));
      assert.deepEqual(without, []);
    });
});
