// The long form of tests/e2e/faults.test.js for the database: killed again and again, in parts and as a whole.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { strike_under_load } from "./buyers.js";
import { brisk, is_repeatable, with_house } from "./house.js";

const times = (count, strike) => Array.from({ length: count }, () => strike);

describe("PostgreSQL under load: requests end 2xx, 503 or 504 in time, and nothing is lost or doubled", () => {
  let reader;
  const house = with_house(brisk, async () => (reader = await house.sign_up("reader")));

  const check = (name, count, strike) =>
    it(`${name}, ${count} times`, async (t) => {
      const answers = await strike_under_load(house, reader, times(count, strike));
      const failed = answers.filter(is_repeatable);
      t.diagnostic(`${failed.length} of ${answers.length} requests were to be repeated`);
      assert.ok(failed.length > 0, "the load felt it");
    });

  check("a backend is killed", 15, () => house.kill_backend());
  check("the postmaster is killed", 15, () => house.kill_postmaster());
});
