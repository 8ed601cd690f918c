// Kernel images made by gcc and ld at test time, from a few lines of assembly.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface BuildOptions {
  readonly bits?: 32 | 64;
  /** Linker script; the default loads everything at 1 MiB. */
  readonly script?: string;
}

const AT_ONE_MIB = `
ENTRY(start)
SECTIONS {
  . = 0x100000;
  .text : { *(.multiboot) *(.text) }
  .data : ALIGN(4096) { *(.data) }
  .bss : ALIGN(4096) { *(.bss) *(COMMON) }
  end = .;
  /DISCARD/ : { *(.note*) }
}`;

export function buildImage(assembly: string, options: BuildOptions = {}): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "image-"));
  const path = (name: string) => join(folder, name);
  const wide = options.bits === 64;
  try {
    writeFileSync(path("image.S"), assembly);
    writeFileSync(path("image.ld"), options.script ?? AT_ONE_MIB);
    execFileSync("gcc", [wide ? "-m64" : "-m32", "-c", path("image.S"), "-o", path("image.o")]);
    const emulation = wide ? "elf_x86_64" : "elf_i386";
    const flags = `-m ${emulation} -nostdlib -static -z max-page-size=4096 -z noexecstack`;
    execFileSync("ld", [
      ...`${flags} --no-warn-rwx-segments --build-id=none`.split(" "),
      ...["-T", path("image.ld"), path("image.o"), "-o", path("image.elf")],
    ]);
    return new Uint8Array(readFileSync(path("image.elf")));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A multiboot kernel of a few instructions, with data and a page of bss. */
export function multibootSource(flags: number, extra = "", body = "hlt"): string {
  return `
.section .multiboot, "a"
header:
  .long 0x1badb002, ${flags}, -(0x1badb002 + ${flags})
  ${extra}
.text
.globl start
start:
  ${body}
.data
value: .long 0x12345678
.bss
.space 4096
`;
}

/** Instructions that set EFER.SVME and put the host save area at 0x301000. */
export const ENABLE_SVM = `mov $0xc0000080, %ecx
  rdmsr
  or $0x1000, %eax
  wrmsr
  mov $0xc0010117, %ecx
  mov $0x301000, %eax
  xor %edx, %edx
  wrmsr`;
