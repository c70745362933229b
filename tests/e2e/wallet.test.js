// What operators see of wallets and do to them.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { assert_error, broken_fields, eventually, run, set, with_server } from "./server.js";

describe("wallets", () => {
  const { server, check } = with_server({ settings: { "limits.general": "10000" } });
  const path = (id, rest = "") => `/api/v1/admin/accounts/${id}/wallet${rest}`;
  const adjust = (admin, id, change, headers) =>
    server.post(path(id, "/adjustments"), { currency: "USD", reason: "because", ...change }, admin.token, headers);
  const balances = async (admin, id) => {
    const { status, text, body } = await server.get(path(id), admin.token);
    assert.equal(status, 200, text);
    return body.balances;
  };

  check("are adjusted, by text and by number, and shown", async () => {
    const admin = await server.sign_in_admin();
    const { id } = await server.sign_up("ann");
    assert.deepEqual(await balances(admin, id), []);
    const given = await adjust(admin, id, { amount: "10.50" });
    assert.equal(given.status, 200, given.text);
    assert.match(given.text, /"balance":10\.50,/, "exactly, not by way of a double");
    for (const [amount, currency] of [[0.1, "USD"], [-3, "USD"], ["-0.60", "USD"], [500, "JPY"]])
      assert.equal((await adjust(admin, id, { amount, currency })).status, 200);
    assert.deepEqual(await balances(admin, id), [
      { currency: "JPY", balance: 500, owed: 0 },
      { currency: "USD", balance: 7, owed: 0 },
    ]);
  });

  check("have a statement, filtered and paged", async () => {
    const admin = await server.sign_in_admin();
    const { id } = await server.sign_up("bea");
    for (const amount of ["3", "-1", "2"]) await adjust(admin, id, { amount });
    const read = async (query) => (await server.get(path(id, `/transfers?${query}`), admin.token)).body;
    const all = await read("");
    assert.deepEqual([all.total, all.offset, all.limit], [3, 0, 50]);
    assert.deepEqual(all.items.map(({ amount }) => amount), [2, -1, 3]);
    const { reference, booked_at, ...line } = all.items[1];
    assert.deepEqual(line, { kind: "admin", amount: -1, currency: "USD", counterpart: { kind: "adjustments", owner: "" } });
    assert.ok(reference);
    assert.ok(Date.now() - Date.parse(booked_at) < 60_000);
    assert.deepEqual((await read("limit=1&offset=1")).items, [all.items[1]]);
    assert.equal((await read("kind=admin&currency=USD")).total, 3);
    assert.equal((await read("kind=payment")).total, 0);
    assert.equal((await read("currency=EUR")).total, 0);
  });

  check("give no more than they have, and say what is missing", async () => {
    const admin = await server.sign_in_admin();
    const { id } = await server.sign_up("cid");
    await adjust(admin, id, { amount: "5" });
    const { error } = assert_error(await adjust(admin, id, { amount: "-5.01" }), 400, "INSUFFICIENT_FUNDS");
    assert.deepEqual(error.details, { missing: 0.01, currency: "USD" });
    assert.deepEqual(await balances(admin, id), [{ currency: "USD", balance: 5, owed: 0 }]);
  });

  check("are adjusted once under one key, and the trail says who and why", async () => {
    const admin = await server.sign_in_admin();
    const { id } = await server.sign_up("dan");
    const headers = { "idempotency-key": "gift-to-dan" };
    const answers = await Promise.all(Array.from({ length: 16 }, () => adjust(admin, id, { amount: "9.99" }, headers)));
    for (const { status, text } of answers) assert.ok(status === 200 || status === 409, text);
    assert.equal((await adjust(admin, id, { amount: "9.99" }, headers)).status, 200);
    assert_error(await adjust(admin, id, { amount: "9.98" }, headers), 422);
    assert.deepEqual(await balances(admin, id), [{ currency: "USD", balance: 9.99, owed: 0 }]);
    await eventually(async () => {
      const { items } = (await server.get(`/api/v1/admin/audit?action=wallet&subject=${id}`, admin.token)).body;
      assert.equal(items.length, 1);
      assert.deepEqual(items[0].details, { amount: "9.99", currency: "USD", reason: "because" });
      assert.equal(items[0].actor, admin.id);
    });
  });

  check("of strangers are not found, and broken fields are named all at once", async () => {
    const admin = await server.sign_in_admin();
    const { id } = await server.sign_up("eve");
    const stranger = "00000000-0000-4000-8000-000000000000";
    assert_error(await server.get(path(stranger), admin.token), 404, "ACCOUNT_NOT_FOUND");
    assert_error(await server.get(path(stranger, "/transfers"), admin.token), 404, "ACCOUNT_NOT_FOUND");
    assert_error(await adjust(admin, stranger, { amount: "1" }), 404, "ACCOUNT_NOT_FOUND");
    const nothing = await server.post(path(id, "/adjustments"), {}, admin.token);
    assert.deepEqual(broken_fields(nothing), ["amount", "currency", "reason"]);
    for (const amount of ["", "0", 0, "1.001", 1.001, "1e3", 1e300, "ten", "10000000000000.01", true, null, [1]])
      assert.deepEqual(broken_fields(await adjust(admin, id, { amount })), ["amount"], JSON.stringify(amount));
    for (const currency of ["", "usd", "USDT", 5]) assert.deepEqual(broken_fields(await adjust(admin, id, { amount: "1", currency })), ["currency"]);
    for (const reason of ["", "x".repeat(501)]) assert.deepEqual(broken_fields(await adjust(admin, id, { amount: "1", reason })), ["reason"]);
    const page = await server.get(path(id, "/transfers?kind=gift&currency=x&offset=-1&limit=201"), admin.token);
    assert.deepEqual(broken_fields(page), ["currency", "kind", "limit", "offset"]);
    assert.deepEqual(await balances(admin, id), []);
  });

  check("leave the books right", async () => {
    const doctor = await run(["doctor", "ledger", ...server.arguments, ...set({ environment: "development" })]);
    assert.equal(doctor.code, 0, doctor.out);
  });
});
