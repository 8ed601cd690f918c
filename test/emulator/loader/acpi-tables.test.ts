// The ACPI tables: checksums and links by hand, contents as ACPICA's own disassembler reads them.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { acpiTables, RSDP_ADDRESS } from "../../../emulator/loader/acpi-tables.ts";

const { address, bytes } = acpiTables();
const view = new DataView(bytes.buffer);
const sum = (from: number, length: number) =>
  bytes.subarray(from, from + length).reduce((total, byte) => (total + byte) & 0xff, 0);
const signature = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));

/** Offsets of all tables, by signature, found as a system finds them. */
function tables(): Map<string, number> {
  const found = new Map<string, number>();
  const add = (physical: number) => {
    found.set(signature(physical - address), physical - address);
    return physical - address;
  };
  const rsdt = add(view.getUint32(16, true));
  const xsdt = add(Number(view.getBigUint64(24, true)));
  const entries = (view.getUint32(rsdt + 4, true) - 36) / 4;
  for (let i = 0; i < entries; i++) {
    const at = add(view.getUint32(rsdt + 36 + 4 * i, true));
    expect(Number(view.getBigUint64(xsdt + 36 + 8 * i, true)) - address).toBe(at);
  }
  const fadt = found.get("FACP")!;
  add(view.getUint32(fadt + 36, true));
  add(view.getUint32(fadt + 40, true));
  return found;
}

test("the root pointer lies on a paragraph of the BIOS area, with both checksums", () => {
  expect(address).toBe(RSDP_ADDRESS);
  expect(address % 16).toBe(0);
  expect(address + bytes.length).toBeLessThan(0xf_f000);
  expect(String.fromCharCode(...bytes.subarray(0, 8))).toBe("RSD PTR ");
  expect([sum(0, 20), sum(0, 36)]).toEqual([0, 0]);
});

test("every table is linked from RSDT, XSDT and FADT, and adds up to 0", () => {
  const found = tables();
  expect([...found.keys()].sort()).toEqual(["APIC", "DSDT", "FACP", "FACS", "RSDT", "XSDT"]);
  for (const [name, at] of found) {
    if (name !== "FACS") expect(sum(at, view.getUint32(at + 4, true)), name).toBe(0);
  }
  expect((address + found.get("FACS")!) % 64).toBe(0);
  expect(view.getUint32(found.get("FACP")! + 4, true)).toBe(244);
});

/** The table as ACPICA's disassembler writes it. */
function disassembled(name: string): string {
  const at = tables().get(name)!;
  const folder = mkdtempSync(join(tmpdir(), "acpi-"));
  try {
    const file = join(folder, `${name.toLowerCase()}.dat`);
    writeFileSync(file, bytes.subarray(at, at + view.getUint32(at + 4, true)));
    const run = spawnSync("iasl", ["-d", file], { encoding: "utf8" });
    if (run.error) throw new Error("iasl is missing: Debian package acpica-tools");
    const source = readFileSync(file.replace(".dat", ".dsl"), "utf8");
    expect(`${run.stdout}${run.stderr}`).not.toMatch(/Error|Invalid|Incorrect checksum/);
    if (name === "DSDT") {
      // What it read compiles again without an error, to the same length of AML.
      const again = execFileSync("iasl", [file.replace(".dat", ".dsl")], { encoding: "utf8" });
      expect(again).toMatch(/ 0 Errors, 0 Warnings/);
    }
    return source
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/\/\/.*/g, "")
      .replace(/[ \t]+/g, " ");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("iasl reads the FADT: fixed hardware, SCI, reset register", () => {
  const text = disassembled("FACP");
  expect(text).toContain("SCI Interrupt : 0009");
  expect(text).toContain("SMI Command Port : 000000B2");
  expect(text).toContain("ACPI Enable Value : F1");
  expect(text).toContain("PM1A Event Block Address : 00000600");
  expect(text).toContain("PM1A Control Block Address : 00000604");
  expect(text).toContain("PM Timer Block Address : 00000608");
  expect(text).toContain("Reset Register Supported (V2) : 1");
  expect(text).toContain("Address : 0000000000000CF9");
  expect(text).toContain("Value to cause reset : 06");
  expect(text).toContain("32-bit PM Timer (V1) : 0");
});

test("iasl reads the MADT: one CPU, the I/O APIC, two overrides, NMI", () => {
  const text = disassembled("APIC");
  expect(text.match(/Subtable Type : \d+ \[[^\]]*\]/g)).toEqual([
    "Subtable Type : 00 [Processor Local APIC]",
    "Subtable Type : 01 [I/O APIC]",
    "Subtable Type : 02 [Interrupt Source Override]",
    "Subtable Type : 02 [Interrupt Source Override]",
    "Subtable Type : 04 [Local APIC NMI]",
  ]);
  expect(text).toMatch(/Source : 00\n.*Interrupt : 00000002/);
  expect(text).toMatch(/Source : 09\n.*Interrupt : 00000009\n.*: 000D/);
});

test("iasl reads the DSDT: soft-off, PCI root, ISA devices", () => {
  const text = disassembled("DSDT");
  expect(text.match(/EisaId \("\w+"/g)).toEqual(
    ["0A03", "0501", "0501", "0B00", "0303", "0F13"].map((id) => `EisaId ("PNP${id}"`),
  );
  expect(text).toMatch(/Name \(\\_S5, Package \(0x04\)\s*\{\s*Zero,\s*Zero,\s*Zero,\s*Zero\s*\}\)/);
  expect(text).toContain("0x000A0000");
  expect(text).toContain("0x0CF8");
});
