// Honest phones stay signed in, whatever is lost, doubled or killed; who replays a token is signed out.
// TEST_LONG=1 does it a hundred thousand times.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { with_house } from "../chaos/house.js";
import { refresh_under_kills } from "../chaos/phones.js";

const scale = process.env.TEST_LONG ? { refreshes: 100_000, kills: 200 } : { refreshes: 5_000, kills: 10 };

describe("a hundred phones", () => {
  const house = with_house({});

  it("are never signed out, and every replay ends its session", async (t) => {
    const { phones, refreshes, kills } = await refresh_under_kills(house, { count: 100, ...scale });
    t.diagnostic(`${refreshes} refreshes, ${kills} kills, nobody was signed out`);
    assert.ok(refreshes >= scale.refreshes);
    await Promise.all(phones.slice(0, 20).map((each) => each.assert_replay_kills()));
    await Promise.all(phones.slice(20, 40).map((each) => each.live(each.refreshes + 1))); // the others live on
  });
});
