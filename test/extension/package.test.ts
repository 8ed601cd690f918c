// What the .vsix holds: all that runs, MinVisor with its sources, and nothing besides.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MINVISOR_ELF, PAE_HYPERVISOR } from "../../scripts/build-minvisor.mjs";
import { packageExtension } from "../../scripts/package.mjs";
import { sourceFiles } from "../tidy/sources.ts";

const folder = mkdtempSync(join(tmpdir(), "minvisor-vsix-"));
let files: readonly string[] = [];

/** Names in a zip file's central directory. */
function zipEntries(zip: Buffer): string[] {
  const end = zip.lastIndexOf("PK\x05\x06", undefined, "latin1");
  let at = zip.readUInt32LE(end + 16);
  return Array.from({ length: zip.readUInt16LE(end + 10) }, () => {
    const [name, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const text = zip.toString("utf8", at + 46, at + 46 + name!);
    at += 46 + name! + extra! + comment!;
    return text;
  });
}

beforeAll(() => {
  const vsix = packageExtension(join(folder, "test.vsix"));
  files = zipEntries(readFileSync(vsix))
    .filter((name) => name.startsWith("extension/"))
    .map((name) => name.slice("extension/".length));
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true }));

test("the extension, the adapter, its disassembler and the grammar are in it", () => {
  expect(files).toEqual(
    expect.arrayContaining([
      "package.json",
      "LICENSE.txt",
      "dist/extension.cjs",
      "dist/adapter.cjs",
      "dist/iced_x86_bg.wasm",
      "dist/memory-page.js",
      "dist/memory-page.css",
      "dist/exits-page.js",
      "dist/exits-page.css",
      "dist/recording-page.css",
      "syntaxes/gnu-x86-asm.tmLanguage.json",
    ]),
  );
});

test("MinVisor is in it with every source, the guests and the seeded bugs", () => {
  const sources = sourceFiles([".c", ".h", ".S", ".ld"]).filter((path) =>
    /^(?:minvisor|test\/guests|test\/seeded-bugs)\//.test(path),
  );
  expect(sources.length).toBeGreaterThan(30);
  expect(files).toEqual(expect.arrayContaining(sources));
  expect(files).toEqual(
    expect.arrayContaining([
      "minvisor/build/minvisor.elf",
      "test/guests/build/sample.bin",
      "test/guests/build/sample.elf",
      "test/seeded-bugs/build/wrong-region-size.elf",
      "samples/minvisor.code-workspace",
      "scripts/build-minvisor.mjs",
    ]),
  );
});

test("the build task of the sample workspace builds all from what is in it", () => {
  const sample = join(folder, "sample");
  const parts = files.filter((path) => /^(?:minvisor|samples|scripts|test)\//.test(path));
  const sources = parts.filter((path) => !path.includes("/build/"));
  for (const path of sources) cpSync(path, join(sample, path));
  execFileSync(process.execPath, [join(sample, "scripts/build-minvisor.mjs")]);
  for (const path of [MINVISOR_ELF, PAE_HYPERVISOR])
    expect(existsSync(join(sample, path)), path).toBe(true);
});

test("no source of ours in TypeScript, no package, no object file is in it", () => {
  expect(files.filter((path) => /\.(?:ts|map|o|vsix)$|node_modules|\.test\./.test(path))).toEqual(
    [],
  );
});
