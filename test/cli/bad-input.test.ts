// What the command refuses: exit status 2 and one sentence that names the file or option.

import { afterAll, beforeAll, expect, test } from "vitest";
import { buildImage, multibootSource } from "../emulator/loader/build-image.ts";
import { Command } from "./command.ts";

let command: Command;
let guest = "";
let image: Uint8Array;

beforeAll(() => {
  command = new Command();
  guest = command.guest("guest.elf", "cli\n hlt");
  image = buildImage(multibootSource(3, "", "cli\n hlt"));
}, 60_000);
afterAll(() => command.dispose());

/** The arguments are made when the folder is there. */
type Case = readonly [what: string, args: () => string[], names: RegExp];

const small = ["--memory", "4M"];

const CASES: readonly Case[] = [
  ["no kernel", () => [], /--kernel/],
  ["a missing kernel", () => ["--kernel", "/no/such/file"], /\/no\/such\/file.*no such file/],
  ["a directory as kernel", () => ["--kernel", command.folder], /Kernel \/.* cannot be read/],
  ["an empty kernel", () => ["--kernel", command.file("empty", "")], /empty is empty/],
  [
    "a kernel that is neither ELF nor bzImage",
    () => ["--kernel", command.file("text", "hello\n".repeat(1000))],
    /text is neither a multiboot kernel .* nor a Linux bzImage/,
  ],
  [
    "an ELF file without a multiboot header",
    () => ["--kernel", command.file("plain.elf", image.slice().fill(0, 4096, 4108))],
    /plain\.elf is neither a multiboot kernel/,
  ],
  [
    "a truncated kernel",
    () => ["--kernel", command.file("cut.elf", image.slice(0, 4200))],
    /cut\.elf.* truncated/,
  ],
  [
    "a kernel larger than memory",
    () => ["--kernel", guest, "--memory", "1M"],
    /guest\.elf .*(fit|memory)/,
  ],
  ["a missing module", () => ["--kernel", guest, "--module", "/no/module x"], /\/no\/module/],
  [
    "a module that does not fit",
    () => ["--kernel", guest, ...small, "--module", command.file("big", new Uint8Array(5e6))],
    /[Mm]odule .*big .*(fit|memory)/,
  ],
  ["an empty module", () => ["--kernel", guest, "--module", " "], /--module/],
  ["a size that is none", () => ["--kernel", guest, "--memory", "lots"], /--memory "lots"/],
  ["no memory", () => ["--kernel", guest, "--memory", "0"], /[Mm]emory of 0 bytes/],
  ["too much memory", () => ["--kernel", guest, "--memory", "4G"], /[Mm]emory of 4294967296 bytes/],
  [
    "three serial ports",
    () => ["--kernel", guest, ...["null", "null", "null"].flatMap((s) => ["--serial", s])],
    /--serial/,
  ],
  [
    "a serial file in no folder",
    () => ["--kernel", guest, "--serial", "/no/folder/com1"],
    /\/no\/folder\/com1/,
  ],
  [
    "a budget that is no number",
    () => ["--kernel", guest, "--max-instructions", "many"],
    /--max-instructions "many"/,
  ],
  ["a negative budget", () => ["--kernel", guest, "--max-instructions=-5"], /--max-instructions/],
  ["exits to neither format", () => ["--kernel", guest, "--exits", "x.txt"], /--exits "x\.txt"/],
  [
    "exits to no folder",
    () => ["--kernel", guest, "--exits", "/no/folder/x.json"],
    /\/no\/folder\/x\.json/,
  ],
  [
    "an option given twice",
    () => ["--kernel", guest, "--kernel", guest],
    /--kernel is given twice/,
  ],
  ["an option without its value", () => ["--kernel"], /--kernel|kernel <file>/],
  ["an unknown option", () => ["--kernel", guest, "--colour", "red"], /--?colour/],
];

test.each(CASES)("%s", (_, args, names) => {
  const { status, stdout, stderr } = command.run(...args());
  expect(stderr).toMatch(names);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toMatch(/^minvisor: /);
  expect(stderr).not.toMatch(/ {4}at |Error:/);
  expect(stdout).toBe("");
  expect(status).toBe(2);
});

test("no command and an unknown one", () => {
  for (const args of [[], ["fly"]]) {
    const { status, stderr } = command.minvisor(...args);
    expect(stderr).toMatch(/^minvisor: .*command.*\n$/);
    expect(status).toBe(2);
  }
});
