// Port and memory accesses on QEMU's `pc` machine, through its qtest protocol with time standing still.
import { spawnSync } from "node:child_process";

export type Access =
  | {
      readonly kind: "in";
      readonly port: number;
      readonly size?: 1 | 2 | 4;
      readonly mask?: number;
    }
  | {
      readonly kind: "out";
      readonly port: number;
      readonly value: number;
      readonly size?: 1 | 2 | 4;
    }
  | { readonly kind: "read"; readonly address: number }
  | { readonly kind: "write"; readonly address: number; readonly value: number };

const SUFFIX = { 1: "b", 2: "w", 4: "l" } as const;

function command(access: Access): string {
  switch (access.kind) {
    case "in":
      return `in${SUFFIX[access.size ?? 1]} ${access.port}`;
    case "out":
      return `out${SUFFIX[access.size ?? 1]} ${access.port} ${access.value}`;
    case "read":
      return `readl ${access.address}`;
    case "write":
      return `writel ${access.address} ${access.value}`;
  }
}

/** Answers of QEMU: a number for each read, undefined for each write. */
export function onQemu(accesses: readonly Access[]): (number | undefined)[] {
  const script = [...accesses.map(command), "outb 0xf4 0"].join("\n");
  const run = spawnSync(
    "qemu-system-x86_64",
    "-machine pc -accel tcg -icount shift=0 -S -m 512 -nodefaults -display none -serial null -serial null -device isa-debug-exit,iobase=0xf4,iosize=1 -qtest-log /dev/null -qtest stdio".split(
      " ",
    ),
    { input: `${script}\n`, encoding: "utf8", timeout: 30_000 },
  );
  const lines = run.stdout.split("\n").filter((line) => line.startsWith("OK"));
  if (lines.length < accesses.length) throw new Error(`QEMU gave up: ${run.stderr}`);
  return accesses.map((access, i) => {
    if (access.kind === "out" || access.kind === "write") return undefined;
    return Number(lines[i]!.slice(3));
  });
}
