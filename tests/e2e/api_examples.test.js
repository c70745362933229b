// docs/api.md tells the truth: its examples are run as they stand, in one shell, from top to bottom.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";

import { plain_environment, root, with_server } from "./server.js";

describe("docs/api.md", () => {
  const { server, check } = with_server();

  check("every example works", async () => {
    const text = readFileSync(join(root, "docs/api.md"), "utf8");
    const blocks = [...text.matchAll(/^## (.+)$|^```sh\n([^]*?)^```$/gm)];
    const steps = blocks.map(([, title, code]) => (title ? `echo "## ${title}" >&2` : code));
    assert.ok(blocks.filter(([, , code]) => code).length >= 9);
    const { email, password } = server.demo_admin;
    const script = steps.join("\n").replaceAll("127.0.0.1:8080", `127.0.0.1:${server.port}`).replaceAll("127.0.0.1:8090", `127.0.0.1:${server.sandbox_port}`);
    const { status, stdout, stderr } = spawnSync("bash", ["-c", `set -euo pipefail\n${script}`], {
      env: plain_environment({ admin_email: email, admin_password: password }),
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
  });
});
