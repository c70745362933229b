// The VPN panel behind the server: what it keeps, what it tells, when it is away, and when it is another version.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { before, describe } from "node:test";

import { assert_as_agreed } from "./contract.js";
import { assert_error, broken_fields, eventually, with_server } from "./server.js";

const settings = { "payments.poll": "500ms", "panel.cache": "0s", "limits.payments": "10000", "limits.general": "10000" };

const gibibyte = 2 ** 30;

describe("the panel", () => {
  const { server, check } = with_server({ settings });
  let ada, grace, admin;

  before(async () => {
    [ada, grace, admin] = [await server.sign_up("ada"), await server.sign_up("grace"), await server.sign_in_admin()];
  });

  /** The panel's own API, as its operator uses it. */
  async function panel(method, path, body) {
    const answer = await fetch(`${server.sandbox_url}/panel${path}`, {
      method,
      body: body && JSON.stringify(body),
      headers: {
        authorization: "Bearer sandbox-panel",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "https",
        ...(body ? { "content-type": "application/json" } : {}),
      },
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text && JSON.parse(text).response;
  }

  async function name_of(who) {
    who.name ??= `bs_${(await server.get(`/api/v1/admin/accounts/${who.id}`, admin.token)).body.account.number}`;
    return who.name;
  }
  const user_of = async (who) => panel("GET", `/api/users/by-username/${await name_of(who)}`);
  const subscription_of = async (who) => (await server.get("/api/v1/subscriptions/active", who.token)).body;
  const fault = (what) => server.control("POST", "faults", { system: "panel", ...what });
  /** Moves the clock on; whoever is given signs in again, since sessions may end meanwhile. */
  async function pass(seconds, who) {
    await server.control("POST", "clock", { advance_seconds: seconds });
    if (who) Object.assign(who, await server.sign_in(who.login));
  }

  async function buy(who, name = "Basic Monthly") {
    const plan = await server.plan(name);
    const { status, text, body } = await server.post("/api/v1/payments/create", { plan_id: plan.id, currency: "USD" }, who.token);
    assert.equal(status, 201, text);
    await server.control("POST", `cryptobot/invoices/${body.invoice_id}/pay`);
    await eventually(async () => {
      const { body: now } = await server.get(`/api/v1/payments/${body.invoice_id}/status`, who.token);
      assert.equal(now.status, "paid");
    });
  }

  /** The panel's user says what our row says. */
  async function assert_equal_state(who) {
    const [user, ours] = [await user_of(who), await subscription_of(who)];
    assert.equal(user.status, "ACTIVE");
    assert.ok(Math.abs(Date.parse(user.expireAt) - Date.parse(ours.expires_at)) < 1000, `${user.expireAt} ${ours.expires_at}`);
    assert.equal(user.trafficLimitBytes, ours.traffic_limit_bytes ?? 0);
    assert.equal(user.hwidDeviceLimit, ours.max_devices ?? null);
    assert.equal(user.activeInternalSquads.length, 1);
    return user;
  }
  const becomes_equal = (who) => eventually(() => assert_equal_state(who), 30);

  const usage_of = (who) => server.get("/api/v1/users/usage-stats", who.token);
  const profiles = () => server.get("/api/v1/config-profiles", ada.token);
  const create_template = (body, who = admin, headers) => server.post("/api/v1/subscriptions", body, who.token, headers);

  check("without a subscription nothing is used", async () => {
    const { status, body } = await usage_of(ada);
    assert.equal(status, 200);
    assert.deepEqual([body.bandwidth_used_bytes, body.bandwidth_limit_bytes, body.connections_active], [0, 0, 0]);
    assert.ok(Date.parse(body.period_start) <= Date.now() && Date.now() < Date.parse(body.period_end));
    assert_error(await server.get("/api/v1/users/usage-stats"), 401);
  });

  check("usage is what the panel counts", async () => {
    await buy(ada);
    const user = await becomes_equal(ada);
    await server.control("POST", `panel/users/${user.id}/traffic`, { used_bytes: 7 * gibibyte });
    await fetch(user.subscriptionUrl, { headers: { "x-hwid": "device-0123456789" } });
    const ours = await subscription_of(ada);
    const { body } = assert_as_agreed("mobile", "GET", "/api/v1/users/usage-stats", await eventually(async () => {
      const answer = await usage_of(ada);
      assert.equal(answer.body.bandwidth_used_bytes, 7 * gibibyte);
      assert.equal(answer.body.connections_active, 1);
      return answer;
    }));
    assert.equal(body.bandwidth_limit_bytes, ours.traffic_limit_bytes);
    assert.equal(body.connections_limit, ours.max_devices);
    assert.ok(Math.abs(Date.parse(body.last_connection_at) - Date.now()) < 60_000);
  });

  check("zeros stand for a panel that is away", async () => {
    await fault({ error_rate: 1 });
    const { status, body } = await usage_of(ada);
    await server.control("DELETE", "faults");
    assert.equal(status, 200);
    assert.deepEqual([body.bandwidth_used_bytes, body.connections_active, body.last_connection_at], [0, 0, null]);
    assert.equal(body.bandwidth_limit_bytes, (await subscription_of(ada)).traffic_limit_bytes);
    await pass(11); // for that long it is left alone
    assert.equal((await usage_of(ada)).body.bandwidth_used_bytes, 7 * gibibyte);
  });

  check("profiles are served, and stale ones rather than none", async () => {
    const { body } = assert_as_agreed("mobile", "GET", "/api/v1/config-profiles", await profiles());
    assert.deepEqual(body.map((each) => each.profileType).sort(), ["clash", "mihomo", "singbox", "stash", "xray_json"]);
    for (const each of body) {
      assert.ok(each.isDefault && each.content.length > 0);
      if (["xray_json", "singbox"].includes(each.profileType)) JSON.parse(each.content);
    }
    await fault({ error_rate: 1 });
    await pass(61);
    assert.deepEqual((await profiles()).body, body);
    await server.control("DELETE", "faults");
    assert_error(await server.get("/api/v1/config-profiles"), 401);
  });

  check("an administrator makes a template, once, and all see it", async () => {
    const wish = {
      name: "Mobile Optimized",
      template_type: "v2ray",
      host_uuid: "8d1f0a34-52ab-4c0e-a8a0-3c8a4f0c7d21",
      inbound_tag: "VLESS",
      flow: "xtls-rprx-vision",
      config_data: { log: { loglevel: "none" } },
    };
    const key = { "idempotency-key": "the-template" };
    const { body: made } = assert_as_agreed("mobile", "POST", "/api/v1/subscriptions", await create_template(wish, admin, key));
    assert.deepEqual(made.configData, wish.config_data);
    assert.deepEqual([made.name, made.templateType, made.flow], [wish.name, wish.template_type, wish.flow]);
    assert.deepEqual((await create_template(wish, admin, key)).body, made);
    assert_error(await create_template(wish), 409, "TEMPLATE_EXISTS");
    const shown = (await profiles()).body.find((each) => each.uuid === made.uuid);
    assert.deepEqual([shown.name, shown.profileType, shown.isDefault], [wish.name, "xray_json", false]);
    assert.deepEqual(JSON.parse(shown.content), wish.config_data);
    const theirs = await panel("GET", `/api/subscription-templates/${made.uuid}`);
    assert.deepEqual([theirs.name, theirs.templateType, theirs.templateJson], [wish.name, "XRAY_JSON", wish.config_data]);
    const { body: trail } = await server.get("/api/v1/admin/audit?action=template.created", admin.token);
    assert.equal(trail.items?.length, 1);
  });

  check("a template whose answer was lost is found again", async () => {
    const wish = { name: "Lost", template_type: "clash", config_data: { mode: "rule" } };
    const key = { "idempotency-key": "the-lost-one" };
    await fault({ lose_answer_rate: 1 });
    assert_error(await create_template(wish, admin, key), 504);
    await server.control("DELETE", "faults");
    const again = await create_template(wish, admin, key);
    assert.equal(again.status, 200, again.text);
    const { templates } = await panel("GET", "/api/subscription-templates");
    assert.deepEqual(templates.filter((each) => each.name === "Lost").map((each) => each.uuid), [again.body.uuid]);
  });

  check("who may not, and what cannot be", async () => {
    assert_error(await create_template({ name: "Mine", template_type: "clash" }, ada), 403);
    assert_error(await server.post("/api/v1/subscriptions", { name: "Mine", template_type: "clash" }), 401);
    const bad = (body) => create_template(body).then(broken_fields);
    assert.deepEqual(await bad({}), ["name", "template_type"]);
    assert.deepEqual(await bad({ name: "a.b", template_type: "toaster" }), ["name", "template_type"]);
    assert.deepEqual(await bad({ name: "Default", template_type: "clash" }), ["name"]);
    assert.deepEqual(await bad({ name: "x".repeat(101), template_type: 7, flow: "x".repeat(51), config_data: [] }),
      ["config_data", "flow", "name", "template_type"]);
    await panel("POST", "/api/subscription-templates", { name: "Theirs", templateType: "CLASH" });
    assert_error(await create_template({ name: "Theirs", template_type: "clash" }), 409, "TEMPLATE_EXISTS");
    assert_error(await create_template({ name: "Theirs", template_type: "clash" }), 409, "TEMPLATE_EXISTS");
  });

  check("what somebody changes at the panel is set right, and our own changes are not written again", async () => {
    const { trafficLimitStrategy } = await becomes_equal(ada);
    const name = await name_of(ada);
    for (const change of [{ trafficLimitBytes: 1 }, { expireAt: "2027-01-01T00:00:00.000Z" }, { hwidDeviceLimit: 99 },
                          { trafficLimitStrategy: "WEEK" }, { activeInternalSquads: [] }]) {
      await panel("PATCH", "/api/users", { username: name, ...change });
      await eventually(async () => assert.equal((await assert_equal_state(ada)).trafficLimitStrategy, trafficLimitStrategy));
    }
    await panel("DELETE", `/api/users/${(await user_of(ada)).id}`);
    await becomes_equal(ada);
    await eventually(async () => assert.match((await server.get("/metrics")).text, /^backstay_outbox_waiting 0$/m));
    const { updatedAt } = await user_of(ada);
    await new Promise((done) => setTimeout(done, 1000));
    assert.equal((await user_of(ada)).updatedAt, updatedAt);
  });

  check("a new link is taken over", async () => {
    const { id } = await user_of(ada);
    const revoked = await panel("POST", `/api/users/${id}/actions/revoke`);
    await eventually(async () => {
      const { body } = await server.get(`/api/v1/subscriptions/config/${ada.id}`, ada.token);
      assert.equal(body.subscription_url, revoked.subscriptionUrl);
    });
  });

  check("a period that is bought has the whole traffic again", async () => {
    const { id } = await user_of(ada);
    await server.control("POST", `panel/users/${id}/traffic`, { used_bytes: 9 * gibibyte });
    await pass(360, ada); // within five minutes of a reset there is no other
    assert.equal((await usage_of(ada)).body.bandwidth_used_bytes, 9 * gibibyte);
    await buy(ada);
    await eventually(async () => assert.equal((await user_of(ada)).userTraffic.usedTrafficBytes, 0));
    assert.equal((await usage_of(ada)).body.bandwidth_used_bytes, 0);
  });

  check("whom somebody has disabled at the panel stays so until he buys again", async () => {
    await buy(grace);
    const { id } = await becomes_equal(grace);
    await eventually(async () => assert.match((await server.get("/metrics")).text, /^backstay_outbox_waiting 0$/m));
    await panel("POST", `/api/users/${id}/actions/disable`);
    await eventually(async () => assert.equal((await subscription_of(grace)).status, "cancelled"));
    await panel("PATCH", "/api/users", { username: await name_of(grace), description: "a quarrel" });
    await new Promise((done) => setTimeout(done, 1500));
    assert.equal((await user_of(grace)).status, "DISABLED");
    await buy(grace);
    await becomes_equal(grace);
  });

  check("webhooks that are forged, tampered with or old are refused; doubled ones change nothing", async () => {
    const sign = (body) => createHmac("sha256", "sandboxpanelwebhooksecret0123456789").update(body).digest("hex");
    const send = (body, signature = sign(body)) =>
      server.post("/api/v1/webhooks/remnawave", body, undefined, { "x-remnawave-signature": signature });
    const { items } = await server.control("GET", "panel/users");
    const { now } = await server.control("GET", "clock");
    const hook = (at) => JSON.stringify({ scope: "user", event: "user.modified", timestamp: new Date(at).toISOString(), data: items[0] });
    const good = hook(Date.parse(now));
    for (const _ of [1, 2]) assert.equal((await send(good)).status, 200);
    assert_error(await send(good.replace("modified", "Modified"), sign(good)), 401);
    assert_error(await send(good, ""), 401);
    assert_error(await send(good, sign(good).toUpperCase()), 401);
    for (const minutes of [-6, 6]) assert_error(await send(hook(Date.parse(now) + minutes * 60_000)), 401);
    for (const odd of ["", "{", "[]", "{}"]) assert_error(await send(odd), 400);
    const stranger = JSON.stringify({ ...JSON.parse(good), data: { ...items[0], username: "bs_999999" } });
    assert.equal((await send(stranger)).status, 200);
  });

  check("a purchase goes through while the panel is away, and arrives there later", async () => {
    await fault({ error_rate: 1, webhooks: "drop" });
    const before = await subscription_of(ada);
    await buy(ada);
    const after = await subscription_of(ada);
    assert.ok(Date.parse(after.expires_at) - Date.parse(before.expires_at) > 29 * 86_400_000);
    await eventually(async () => assert.ok(server.log_lines.some((line) => line.message === "an effect failed and is repeated")));
    await pass(3 * 3600, ada); // it stays away for hours, and is tried again and again
    await server.control("DELETE", "faults");
    await eventually(async () => {
      await pass(3600, ada); // by then the next try is due
      await assert_equal_state(ada);
    }, 30);
  });

  for (const version of ["2.8.1", "3.3.2"])
    check(`the panel becomes ${version}, and everything goes on`, async () => {
      await server.control("POST", "panel/version", { version });
      await buy(ada, "Premium Monthly");
      await buy(ada, "Basic Monthly");
      await eventually(async () => {
        await pass(10, ada); // the first try may have found out the version
        await assert_equal_state(ada);
      }, 30);
      const user = await user_of(ada);
      assert.equal(typeof user.uuid, version.startsWith("2.") ? "string" : "undefined");
      await server.control("POST", `panel/users/${user.id}/traffic`, { used_bytes: 3 * gibibyte });
      await eventually(async () => {
        await pass(11, ada);
        assert.equal((await usage_of(ada)).body.bandwidth_used_bytes, 3 * gibibyte);
      });
      assert.equal((await server.get("/api/v1/servers", ada.token)).body.length, 3);
      assert.equal((await server.get(`/api/v1/subscriptions/config/${ada.id}`, ada.token)).status, 200);
      const name = await name_of(ada);
      await panel("PATCH", "/api/users", { username: name, trafficLimitBytes: 1 });
      await becomes_equal(ada);
    });
});
