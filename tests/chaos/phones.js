// Honest phones in a bad network, and what must be true of their sessions: nobody is ever signed out who did not
// replay a token.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { password, phone as model } from "../e2e/server.js";
import { persist } from "./house.js";

/** How the network treats honest phones. */
const lost_answers = 0.05, doubled_requests = 0.02;

let people = 0;

class Phone {
  refreshes = 0;

  constructor(house) {
    this.house = house;
    this.device = { ...model, device_id: randomUUID() };
  }

  async sign_up() {
    const form = { email: `phone${++people}@example.com`, password, device: this.device };
    const answer = await this.house.post("/api/v1/mobile/auth/register", form);
    assert.equal(answer.status, 201, answer.text);
    this.keep(answer.body.tokens);
    return this;
  }

  keep({ access_token, refresh_token }) {
    this.old_token = this.parent_token;
    this.parent_token = this.refresh_token;
    Object.assign(this, { access_token, refresh_token });
  }

  ask(token) {
    const body = { refresh_token: token, device_id: this.device.device_id };
    return this.house.post("/api/v1/mobile/auth/refresh", body);
  }

  /** Refreshes as an app does: until there is an answer, always with the token that it holds. */
  async refresh() {
    const chance = Math.random();
    if (chance < lost_answers) await this.ask(this.refresh_token).catch(() => {}); // done, and nobody heard of it
    const double = chance > 1 - doubled_requests ? this.ask(this.refresh_token).catch(() => {}) : undefined;
    const answer = await persist(() => this.ask(this.refresh_token));
    assert.equal(answer.status, 200, `signed out: ${answer.text}`);
    const doubled = await double;
    if (doubled?.status === 200) assert.equal(doubled.body.refresh_token, answer.body.refresh_token);
    this.keep(answer.body);
    ++this.refreshes;
  }

  /** The first use of the new access token. */
  async look() {
    const answer = await persist(() => this.house.get("/api/v1/auth/me", this.access_token));
    assert.equal(answer.status, 200, `signed out: ${answer.text}`);
  }

  async live(refreshes) {
    while (this.refreshes < refreshes) {
      await this.refresh();
      if (Math.random() < 0.8) await this.look();
    }
  }

  /** Somebody shows a token of this session that was replaced twice. */
  async assert_replay_kills() {
    await this.live(this.refreshes + 2);
    await this.look();
    const replay = await persist(() => this.ask(this.old_token));
    assert.equal(replay.status, 401, replay.text);
    const next = await persist(() => this.ask(this.refresh_token));
    assert.equal(next.status, 401, "the session outlived a replay");
    const me = await persist(() => this.house.get("/api/v1/auth/me", this.access_token));
    assert.equal(me.status, 401, "the access token outlived a replay");
  }
}

/**
 * `count` phones refresh until they have done so `refreshes` times in all, while the server is killed `kills` times.
 * Throws if one of them is signed out.
 */
export async function refresh_under_kills(house, { count, refreshes, kills }) {
  const phones = [];
  while (phones.length < count) phones.push(await new Phone(house).sign_up());
  let living = true;
  const done = () => phones.reduce((sum, each) => sum + each.refreshes, 0);
  const lives = Promise.all(phones.map((each) => each.live(refreshes / count))).finally(() => (living = false));
  lives.catch(() => {}); // looked at below
  let killed = 0;
  while (living && killed < kills) {
    if (done() < (refreshes * (killed + 0.5)) / kills) {
      await sleep(5);
      continue;
    }
    await house.kill();
    await house.start();
    ++killed;
  }
  await lives;
  assert.equal(killed, kills);
  return { phones, refreshes: done(), kills: killed };
}
