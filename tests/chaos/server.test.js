// The long form of tests/e2e/faults.test.js for the server itself: a hundred kills, and every actor's death under load.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { kill_server_under_load, strike_under_load } from "./buyers.js";
import { brisk, is_repeatable, with_house } from "./house.js";

describe("the server under load", () => {
  let reader;
  const house = with_house(brisk, async () => (reader = await house.sign_up("reader")));

  it("every actor ends, twice: requests end 2xx, 503 or 504 in time, and nothing is lost or doubled", async (t) => {
    const names = (await house.get("/health")).body.components.map((each) => each.name);
    const strikes = [...names, ...names].map((name) => () => house.crash(name));
    const answers = await strike_under_load(house, reader, strikes);
    t.diagnostic(`${answers.filter(is_repeatable).length} of ${answers.length} requests were to be repeated`);
    for (const name of names) assert.equal((await house.component(name)).restarts, 2, name);
    assert.equal((await house.get("/health")).body.status, "healthy");
  });

  it("is killed a hundred times: nothing is lost or doubled", async (t) => {
    const { payments } = await kill_server_under_load(house, { buyers: 4, times: 100 });
    t.diagnostic(`${payments.length} payments`);
    assert.ok(payments.length > 100);
  });
});
