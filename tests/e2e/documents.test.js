// What the server tells of itself: the API's document and the page to try it, headers, health and metrics.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { gunzipSync } from "node:zlib";

import { createConfig, lintFromString } from "@redocly/openapi-core";
import { chromium } from "playwright-core";

import { assert_error, eventually, password, root, run, with_server } from "./server.js";

/** A request as it stands: nothing added, nothing decoded. */
function plain_request(url, { method = "GET", headers = {} } = {}) {
  return new Promise((done, failed) => {
    const out = request(url, { method, headers }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }));
    });
    out.on("error", failed);
    out.end();
  });
}

const count_operations = (document) =>
  Object.values(document.paths).reduce((sum, path) => sum + Object.keys(path).length, 0);

describe("the document", () => {
  const { server, check } = with_server();

  check("is OpenAPI 3.1 without a complaint of the linter", async () => {
    const { status, text, body } = await server.get("/openapi.json");
    assert.equal(status, 200);
    assert.match(body.openapi, /^3\.1\./);
    assert.ok(count_operations(body) >= 20);
    assert.deepEqual(body["x-websockets"].includes("/ws/notifications"), true);
    const problems = await lintFromString({ source: text, config: await createConfig({ extends: ["recommended"] }) });
    assert.deepEqual(problems.map((p) => `${p.ruleId} ${p.location[0]?.pointer}: ${p.message}`), []);
    const ids = Object.values(body.paths).flatMap(Object.values).map((operation) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
  });

  check("is the same that `backstay openapi` prints", async () => {
    const { code, out, err } = await run(["openapi"]);
    assert.equal(code, 0, err);
    const served = (await server.get("/openapi.json")).body;
    const is_own = (path) => /^\/(health|metrics|docs|openapi)/.test(path); // not the families': the running server's
    for (const path of Object.keys(served.paths)) if (is_own(path)) delete served.paths[path];
    const printed = JSON.parse(out);
    assert.deepEqual(printed.paths, served.paths);
    assert.deepEqual(printed["x-websockets"], served["x-websockets"]);
  });

  check("tells the truth: what needs a session refuses without one", async () => {
    const { paths } = (await server.get("/openapi.json")).body;
    let asked = 0;
    for (const [path, methods] of Object.entries(paths))
      for (const [method, operation] of Object.entries(methods)) {
        if (operation.security.length === 0) continue;
        const answer = await server.api(method.toUpperCase(), path.replaceAll(/\{[^}]+\}/g, "x"));
        assert_error(answer, 401, "UNAUTHENTICATED");
        ++asked;
      }
    assert.ok(asked >= 10);
  });
});

describe("the page to try the API, in a browser", () => {
  const { server, check } = with_server();
  let browser;

  before(async () => {
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-sync",
        "--no-first-run",
        "--no-pings",
      ],
    });
  });
  after(() => browser?.close());

  // The page must work under every name of the server: the README says localhost, the server itself an address.
  for (const host of ["127.0.0.1", "localhost"])
    check(`loads and tries GET /plans at ${host}`, async () => {
      const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
      const complaints = [], foreign = [];
      page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("requestfailed", (failed) => complaints.push(`${failed.url()}: ${failed.failure().errorText}`));
      page.on("response", (answer) => answer.status() >= 400 && complaints.push(`${answer.url()}: ${answer.status()}`));
      page.on("request", (sent) => !/^(data:|blob:)/.test(sent.url()) && new URL(sent.url()).hostname !== host && foreign.push(sent.url()));
      await page.goto(`http://${host}:${server.port}/docs`);
      await page.locator(".opblock").first().waitFor();
      assert.equal(await page.title(), "Backstay API");
      assert.equal(await page.locator(".opblock").count(), count_operations((await server.get("/openapi.json")).body));
      mkdirSync(join(root, "build"), { recursive: true });
      await page.screenshot({ path: join(root, "build/docs.png") });

      const plans = page.locator(".opblock-get", { has: page.locator('[data-path="/api/v1/plans"]') });
      await plans.locator(".opblock-summary").click();
      await plans.getByRole("button", { name: "Execute" }).click();
      const answer = plans.locator(".live-responses-table .response").first();
      await answer.waitFor();
      assert.match(await answer.locator(".response-col_status").innerText(), /^200/);
      assert.match(await answer.locator(".response-col_description").innerText(), /Basic Monthly/);
      assert.deepEqual(complaints, []);
      assert.deepEqual(foreign, [], "nothing comes from elsewhere");
      await page.close();
    });
});

describe("headers", () => {
  const ours = "https://app.example.com";
  const { server, check } = with_server({
    settings: { "http.cors_origins": ours, "http.trusted_proxies": "127.0.0.1", "metrics.token": "let-me-see-the-metrics" },
  });
  const ask = (path, options) => plain_request(server.url + path, options);
  const preflight = (origin) =>
    ask("/api/v1/auth/login", {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
    });

  check("security headers are on every answer", async () => {
    for (const path of ["/api/v1/plans", "/api/v1/nothing", "/api/v1/auth/me", "/health", "/openapi.json"]) {
      const { headers } = await ask(path);
      assert.equal(headers["x-content-type-options"], "nosniff", path);
      assert.equal(headers["x-frame-options"], "DENY", path);
      assert.equal(headers["referrer-policy"], "no-referrer", path);
      assert.match(headers["content-security-policy"], /default-src '(none|self)'/, path);
      assert.ok(headers["cache-control"], path);
      assert.ok(headers["x-request-id"], path);
      assert.ok(Math.abs(Date.parse(headers.date) - Date.now()) < 60_000, path);
      assert.equal(headers["strict-transport-security"], undefined, "only where TLS is");
      assert.equal(headers.server, undefined);
    }
    assert.equal((await ask("/api/v1/plans")).headers["cache-control"], "no-store");
    assert.equal((await ask("/api/v1/plans")).headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
  });

  check("a listed origin may call, others may not", async () => {
    const welcome = await preflight(ours);
    assert.equal(welcome.status, 204);
    assert.equal(welcome.headers["access-control-allow-origin"], ours);
    assert.match(welcome.headers["access-control-allow-methods"], /POST/);
    assert.match(welcome.headers["access-control-allow-headers"], /Content-Type/i);
    assert.match(welcome.headers["access-control-allow-headers"], /Authorization/i);
    assert.match(welcome.headers.vary, /Origin/);
    for (const origin of ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"]) {
      const refused = await preflight(origin);
      assert.equal(refused.headers["access-control-allow-origin"], undefined, origin);
      assert.equal(refused.headers["access-control-allow-methods"], undefined, origin);
    }
    const read = await ask("/api/v1/plans", { headers: { origin: ours } });
    assert.equal(read.headers["access-control-allow-origin"], ours);
    assert.equal((await ask("/api/v1/plans", { headers: { origin: "https://evil.example" } })).headers["access-control-allow-origin"], undefined);
  });

  check("large answers are compressed for those who ask", async () => {
    const plain = await ask("/openapi.json");
    assert.equal(plain.headers["content-encoding"], undefined);
    const small = await ask("/openapi.json", { headers: { "accept-encoding": "br;q=0.5, gzip" } });
    assert.equal(small.headers["content-encoding"], "gzip");
    assert.match(small.headers.vary, /Accept-Encoding/);
    assert.ok(small.body.length < plain.body.length / 3);
    assert.deepEqual(gunzipSync(small.body), plain.body);
    for (const encodings of ["gzip;q=0", "br", "identity, gzip; q=0.0"])
      assert.equal((await ask("/openapi.json", { headers: { "accept-encoding": encodings } })).headers["content-encoding"], undefined, encodings);
    const short = await ask("/health/live", { headers: { "accept-encoding": "gzip" } });
    assert.equal(short.headers["content-encoding"], undefined);
  });

  check("HEAD is GET without the content", async () => {
    const [get, head] = [await ask("/api/v1/plans"), await ask("/api/v1/plans", { method: "HEAD" })];
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
    assert.equal(head.headers["content-length"], String(get.body.length));
    assert.equal(head.headers["content-type"], get.headers["content-type"]);
  });

  check("strangers see only whether it is well; operators and the metrics token see inside", async () => {
    const from_outside = { "x-forwarded-for": "203.0.113.7" };
    const outside = (path, headers) => server.api("GET", path, { headers: { ...from_outside, ...headers } });
    const public_view = await outside("/health");
    assert.equal(public_view.status, 200);
    assert.deepEqual(public_view.body, { status: "healthy", ok: true });
    assert_error(await outside("/metrics"), 401);
    const [admin, viewer] = [await server.sign_in_admin(), await server.sign_up("ada")];
    assert_error(await outside("/metrics", { authorization: `Bearer ${viewer.token}` }), 403);
    assert.deepEqual((await outside("/health", { authorization: `Bearer ${viewer.token}` })).body, public_view.body);
    for (const token of [admin.token, "let-me-see-the-metrics"]) {
      assert.equal((await outside("/metrics", { authorization: `Bearer ${token}` })).status, 200);
      assert.ok((await outside("/health", { authorization: `Bearer ${token}` })).body.components.length > 5);
    }
    assert_error(await outside("/metrics", { authorization: "Bearer let-me-see-the-metric" }), 401);
  });
});

describe("health and metrics", () => {
  const { server, check } = with_server();

  /** The samples of a metrics page: name and labels → value. */
  const read_metrics = async () => {
    const { status, headers, text } = await server.get("/metrics");
    assert.equal(status, 200);
    assert.match(headers.get("content-type"), /^text\/plain/);
    const samples = new Map();
    for (const line of text.split("\n").filter((l) => l && !l.startsWith("#"))) {
      const at = line.lastIndexOf(" ");
      assert.ok(!samples.has(line.slice(0, at)), `twice: ${line}`);
      samples.set(line.slice(0, at), Number(line.slice(at + 1)));
    }
    return samples;
  };

  check("by default no origin is welcome", async () => {
    const headers = { origin: "https://app.example.com", "access-control-request-method": "GET" };
    for (const method of ["OPTIONS", "GET"]) {
      const answer = await plain_request(server.url + "/api/v1/plans", { method, headers });
      assert.deepEqual(Object.keys(answer.headers).filter((name) => name.startsWith("access-control-")), []);
    }
  });

  check("live, ready, healthy", async () => {
    assert.equal((await server.get("/health/live")).status, 200);
    assert.deepEqual((await server.get("/health/ready")).body, { status: "ready" });
    const { body } = await server.get("/health");
    assert.equal(body.status, "healthy");
    const parts = Object.fromEntries(body.components.map((part) => [part.name, part]));
    for (const name of ["postgres", "database", "sessions", "accounts", "subscriptions", "payments", "monitoring", "outbox", "hub"]) {
      assert.equal(parts[name]?.condition, "up", name);
      assert.equal(parts[name].restarts, 0, name);
    }
    assert.equal(parts.payments.critical, true);
    assert.equal(parts.monitoring.critical, false);
  });

  check("requests are counted and timed by route, not by path", async () => {
    const plans = 'backstay_http_request_seconds_count{method="GET",route="/api/v1/plans"}';
    const one = 'backstay_http_request_seconds_count{method="GET",route="/api/v1/servers/{id}"}';
    const lost = 'backstay_http_request_seconds_count{method="other",route="unmatched"}';
    const refused = 'backstay_http_answers_total{class="4xx"}';
    const before = await read_metrics();
    for (let i = 0; i < 3; ++i) await server.get("/api/v1/plans");
    await server.get("/api/v1/servers/1");
    await server.get("/api/v1/servers/2");
    await server.get("/nothing/here");
    const after = await read_metrics();
    const grown = (name) => after.get(name) - before.get(name);
    assert.deepEqual([plans, one, lost, refused].map(grown), [3, 2, 1, 3]);
    const buckets = [...after.keys()].filter((name) => name.startsWith('backstay_http_request_seconds_bucket{method="GET",route="/api/v1/plans"'));
    assert.ok(buckets.length >= 10);
    assert.equal(after.get(buckets.find((name) => name.includes('le="+Inf"'))), after.get(plans));
  });

  check("actors, pools and the outbox are measured", async () => {
    const metrics = await read_metrics();
    for (const actor of ["database", "sessions", "payments", "outbox"]) {
      assert.equal(metrics.get(`backstay_actor_up{actor="${actor}"}`), 1);
      assert.equal(metrics.get(`backstay_actor_restarts_total{actor="${actor}"}`), 0);
      assert.ok(metrics.get(`backstay_actor_mailbox{actor="${actor}"}`) >= 0);
      assert.ok(metrics.has(`backstay_actor_handled_total{actor="${actor}"}`));
    }
    for (const pool of ["database", "hashing"])
      for (const what of ["queued", "busy"]) assert.ok(metrics.get(`backstay_pool_${what}{actor="${pool}"}`) >= 0, `${pool} ${what}`);
    for (const name of ["backstay_outbox_waiting", "backstay_outbox_dead", "backstay_outbox_lag_seconds"]) assert.equal(metrics.get(name), 0);
    assert.equal(metrics.get("backstay_http_open_exchanges"), 1, "this very request");
    assert.ok(metrics.get("process_resident_memory_bytes") > 1e6);
  });

  check("an effect that cannot be carried out waits where it is seen, and is repeated", async () => {
    await server.control("POST", "faults", { system: "mail", error_rate: 1 });
    const email = "late@example.com";
    const body = { login: "late", email, password, tos_accepted: true };
    assert.equal((await server.post("/api/v1/auth/register", body)).status, 201);
    await eventually(() => assert.ok(server.log_lines.some((line) => line.message === "an effect failed and is repeated")));
    assert.equal((await read_metrics()).get("backstay_outbox_waiting"), 1);
    await server.control("DELETE", "faults");
    await server.control("POST", "clock", { advance_seconds: 60 }); // it waits half a minute
    await server.mailed_code(email);
    await eventually(async () => assert.equal((await read_metrics()).get("backstay_outbox_waiting"), 0));
    await server.control("POST", "clock", { offset_seconds: 0 });
  });
});
