// Buyers, operators and providers in trouble, on two servers that are killed with their database at random. With
// CHAOS_SEED everybody decides as in the run that told that seed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { choose_seed, survive } from "../chaos/money.js";

describe("two servers with buyers of all kinds", () => {
  it("are killed twenty times: no money is lost, doubled or stuck", async (t) => {
    const seed = choose_seed();
    t.diagnostic(`CHAOS_SEED=${seed}`);
    const { kills, states } = await survive(seed, { buyers: 6, kills: 20 });
    t.diagnostic(`killed: ${JSON.stringify(kills)}; payments: ${JSON.stringify(states)}`);
    for (const state of ["paid", "refunded"]) assert.ok(states[state] > 0, state);
  });
});
