// The long form of tests/e2e/chaos.test.js.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { choose_seed, survive } from "./money.js";

describe("two servers with buyers of all kinds", () => {
  it("are killed five hundred times: no money is lost, doubled or stuck", async (t) => {
    const seed = choose_seed();
    t.diagnostic(`CHAOS_SEED=${seed}`);
    const { kills, states } = await survive(seed, { buyers: 8, kills: 500 });
    t.diagnostic(`killed: ${JSON.stringify(kills)}; payments: ${JSON.stringify(states)}`);
    for (const state of ["paid", "refunded", "expired"]) assert.ok(states[state] > 50, state);
  });
});
