// Our decoder against objdump on whole programs: MinVisor, and busybox where the Linux guest was made.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Decoder } from "../../../emulator/decode/decoder.ts";
import { ROWS } from "../../../emulator/instructions/index.ts";
import { MINVISOR_ELF } from "../../../scripts/build-minvisor.mjs";
import { INITRD_PATH } from "../../../scripts/guest-linux.mjs";

const decoder = new Decoder(ROWS);

interface Line {
  readonly bytes: Uint8Array;
  readonly mnemonic: string;
}

/** The instructions that objdump finds in the text of a program. */
function disassemble(program: string): Line[] {
  const output = execFileSync("objdump", ["-d", "--insn-width=16", "-w", program], {
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  return output.split("\n").flatMap((line) => {
    const match = /^ *[0-9a-f]+:\t((?:[0-9a-f]{2} )+)\s*\t(.*)$/.exec(line);
    if (match === null) return [];
    const bytes = (match[1] ?? "").trim().split(" ");
    // Prefixes are printed as words of their own before the mnemonic.
    const words = (match[2] ?? "").split(/\s+/);
    const isPrefix = (w: string) =>
      /^(rep\w*|lock|data16|addr32|[c-g]s|bnd|notrack|rex[.\w]*)$/.test(w);
    const mnemonic = words.find((w) => !isPrefix(w)) ?? "";
    return [{ bytes: Uint8Array.from(bytes, (b) => Number.parseInt(b, 16)), mnemonic }];
  });
}

/** Lines whose length is another, and mnemonics that are decoded in one place and not in another. */
function disagreements(lines: readonly Line[]): { lengths: string[]; halves: string[] } {
  const lengths: string[] = [];
  const known = new Set<string>();
  const unknown = new Map<string, string>();
  for (const { bytes, mnemonic } of lines) {
    if (mnemonic === "" || mnemonic === "(bad)" || mnemonic.startsWith("ud")) continue;
    const hex = Buffer.from(bytes).toString("hex");
    const decoded = decoder.decode(bytes, 64);
    if (typeof decoded === "string") unknown.set(mnemonic, `${mnemonic}: ${hex} is ${decoded}`);
    else {
      known.add(mnemonic);
      if (decoded.length !== bytes.length) lengths.push(`${mnemonic}: ${hex} as ${decoded.length}`);
    }
  }
  const halves = [...unknown].filter(([mnemonic]) => known.has(mnemonic)).map(([, text]) => text);
  return { lengths, halves };
}

/** A file's content in a cpio archive of the "newc" kind. */
function fileInArchive(archive: Uint8Array, name: string): Uint8Array | undefined {
  const text = (at: number, length: number): string =>
    Buffer.from(archive.subarray(at, at + length)).toString("latin1");
  const align = (at: number): number => (at + 3) & ~3;
  for (let at = 0; text(at, 6) === "070701"; ) {
    const field = (n: number): number => Number.parseInt(text(at + 6 + n * 8, 8), 16);
    const [size, nameSize] = [field(6), field(11)];
    const data = align(at + 110 + nameSize);
    if (text(at + 110, nameSize - 1).endsWith(name)) return archive.subarray(data, data + size);
    at = align(data + size);
  }
  return undefined;
}

describe("objdump agrees", () => {
  test("on MinVisor", () => {
    const lines = disassemble(MINVISOR_ELF);
    expect(lines.length).toBeGreaterThan(1000);
    expect(disagreements(lines)).toEqual({ lengths: [], halves: [] });
  });

  // Made by `npm run guest:linux`; without it there is nothing more to compare.
  if (existsSync(INITRD_PATH)) {
    test("on busybox", () => {
      const busybox = fileInArchive(Uint8Array.from(readFileSync(INITRD_PATH)), "bin/busybox");
      expect(busybox).toBeDefined();
      const folder = mkdtempSync(join(tmpdir(), "objdump-"));
      try {
        const path = join(folder, "busybox");
        writeFileSync(path, busybox ?? "");
        const lines = disassemble(path);
        expect(lines.length).toBeGreaterThan(100_000);
        expect(disagreements(lines)).toEqual({ lengths: [], halves: [] });
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
