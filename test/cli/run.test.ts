// How a run ends and what it leaves: exit statuses, serial ports, exits, statistics, state hash.

import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MINVISOR_ELF, SAMPLE_GUEST } from "../../scripts/build-minvisor.mjs";
import { Command } from "./command.ts";

const END_OF_SAMPLE = "GUEST-DONE";
const small = ["--memory", "4M"];

let command: Command;
beforeAll(() => {
  command = new Command();
}, 120_000);
afterAll(() => command.dispose());

/** Sends a text to a serial port. */
const print = (port: number, text: string): string =>
  [...text]
    .map((c) => `mov $${c.charCodeAt(0)}, %al\n mov $${port}, %edx\n out %al, %dx`)
    .join("\n");

const exitWith = (value: number): string => `mov $${value}, %al\n out %al, $0xf4\n hlt`;

describe("exit statuses", () => {
  test.each([0, 0x31, 0x7f, 0x80, 0xff])("a write of %i to port 0xF4", (value) => {
    const kernel = command.guest("end.elf", exitWith(value));
    const { status, stderr } = command.run("--kernel", kernel, ...small, "--stats");
    expect(status).toBe((2 * value + 1) & 0xff);
    expect(stderr).toContain(`end debugExit 0x${value.toString(16)}\n`);
  });

  test("a triple fault is 4, with the chain of faults", () => {
    const kernel = command.guest("triple.elf", "lidt none\n ud2\n none: .word 0\n .long 0");
    const { status, stderr } = command.run("--kernel", kernel, ...small);
    expect(status).toBe(4);
    expect(stderr).toMatch(/^minvisor: The CPU shut down: .*#?UD.*, then .*(GP|DF).*\n$/);
  });

  test("a used-up budget is 6", () => {
    const kernel = command.guest("loop.elf", "1: jmp 1b");
    const args = ["--kernel", kernel, ...small, "--max-instructions", "1000", "--stats"];
    const { status, stderr } = command.run(...args);
    expect(status).toBe(6);
    expect(stderr).toContain("The budget of 1000 instructions is used up.");
    expect(stderr).toContain("instructions 1000\n");
  });

  test("a halt that nothing ends is 6", () => {
    const kernel = command.guest("halt.elf", "cli\n hlt");
    const { status, stderr } = command.run("--kernel", kernel, ...small);
    expect(status).toBe(6);
    expect(stderr).toContain("halted");
  });

  test("a reset is 4", () => {
    const kernel = command.guest(
      "reset.elf",
      "mov $0xcf9, %edx\n mov $6, %al\n out %al, %dx\n hlt",
    );
    expect(command.run("--kernel", kernel, ...small)).toMatchObject({
      status: 4,
      stderr: "minvisor: The guest reset the machine.\n",
    });
  });

  test("an awaited text is 0", () => {
    const kernel = command.guest("until.elf", `${print(0x3f8, "one two ")}\n1: jmp 1b`);
    const { status, stdout } = command.run("--kernel", kernel, ...small, "--until", "two");
    expect(status).toBe(0);
    expect(stdout).toBe("one two");
  });

  test("an awaited number is a text too", () => {
    const kernel = command.guest("number.elf", `${print(0x3f8, "0x10")}\n1: jmp 1b`);
    expect(command.run("--kernel", kernel, ...small, "--until", "0x10").status).toBe(0);
  });
});

describe("serial ports", () => {
  const body = `${print(0x3f8, "first\n")}\n${print(0x2f8, "second\n")}\n${exitWith(0)}`;

  test("by default COM1 goes to standard output and COM2 nowhere", () => {
    const kernel = command.guest("serial.elf", body);
    expect(command.run("--kernel", kernel, ...small).stdout).toBe("first\n");
  });

  test("given twice: COM1 to a file, COM2 to standard output", () => {
    const kernel = command.guest("serial.elf", body);
    const file = command.path("com1 text");
    const { stdout } = command.run(
      "--kernel",
      kernel,
      ...small,
      "--serial",
      file,
      "--serial=stdio",
    );
    expect(stdout).toBe("second\n");
    expect(readFileSync(file, "utf8")).toBe("first\n");
  });

  test("null is no file", () => {
    const kernel = command.guest("serial.elf", body);
    const nowhere = ["--serial", "null", "--serial", "null"];
    expect(command.run("--kernel", kernel, ...small, ...nowhere).stdout).toBe("");
    expect(existsSync("null")).toBe(false);
  });
});

describe("the sample guest under MinVisor", () => {
  const sample = ["--kernel", MINVISOR_ELF, "--module", SAMPLE_GUEST];

  test("powers off with status 0, and tells exits and statistics", () => {
    const csv = command.path("exits.csv");
    const { status, stdout, stderr } = command.run(...sample, "--exits", csv, "--stats");
    expect(stdout).toContain(END_OF_SAMPLE);
    expect(stdout).not.toContain("WRONG");
    expect(status).toBe(0);
    const rows = readFileSync(csv, "utf8").trimEnd().split("\n");
    expect(rows[0]).toBe(
      "number,reason,code,info1,info2,guestRip,cr3,guest,icount,ticks,cost,changed",
    );
    const counted = [...stderr.matchAll(/^exit \w+ (\d+)$/gm)].map(([, count]) => Number(count));
    expect(counted.reduce((a, b) => a + b, 0)).toBe(rows.length - 1);
    for (const name of ["end powerOff", "instructions", "ticks", "cpu-seconds", "mips"]) {
      expect(stderr).toMatch(new RegExp(`^${name}\\b`, "m"));
    }
    expect(stderr).toMatch(/^exit NPF 3$/m);
  });

  test("writes the same exits as JSON", () => {
    const json = command.path("exits.json");
    const csv = command.path("again.csv");
    command.run(...sample, "--exits", json, "--serial", "null");
    command.run(...sample, "--exits", csv, "--serial", "null");
    const rows = JSON.parse(readFileSync(json, "utf8")) as Record<string, unknown>[];
    const lines = readFileSync(csv, "utf8").trimEnd().split("\n").slice(1);
    expect(rows.map((row) => Object.values(row).join(","))).toEqual(lines);
  });

  test("has the same state hash in two runs, and another at another instant", () => {
    const hash = (...more: string[]): string | undefined =>
      /^state-hash ([0-9a-f]{16})$/m.exec(
        command.run(...sample, "--state-hash", ...more).stdout,
      )?.[1];
    const first = hash();
    expect(first).toBeDefined();
    expect(hash()).toBe(first);
    const early = hash("--max-instructions", "100_000");
    expect(early).toBeDefined();
    expect(early).not.toBe(first);
  });

  test("takes a module's path with spaces in quotes", () => {
    const path = command.file("sample guest.bin", new Uint8Array(readFileSync(SAMPLE_GUEST)));
    const { status } = command.run("--kernel", MINVISOR_ELF, "--module", `"${path}" a b`);
    expect(status).toBe(0);
  });
});
