// MinVisor's own walk of the guest's page tables, in every paging mode, as a host program.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

test("finds what the guest maps and faults as the CPU would", () => {
  const folder = mkdtempSync(join(tmpdir(), "guest-memory-"));
  const harness = join(folder, "harness");
  try {
    execFileSync("gcc", [
      ...["-std=gnu11", "-O1", "-fno-builtin", "-no-pie", "-static", "-Wall", "-Werror"],
      ...["-Iminvisor", "-o", harness],
      ...["test/minvisor/guest-memory-harness.c", "minvisor/guest_memory.c"],
    ]);
    const lines = execFileSync(harness, { encoding: "utf8" }).trimEnd().split("\n");
    expect(lines.filter((line) => !line.endsWith(": ok"))).toEqual([]);
    expect(lines).toHaveLength(20);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
