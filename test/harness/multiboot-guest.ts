/** Assembles a few lines of 32-bit code into a multiboot kernel, with gcc and ld. */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Multiboot header (flags 0), then the code at `start`. */
const source = (code: string): string => `
  .code32
  .text
  .globl start
  .align 4
  .long 0x1badb002, 0, -(0x1badb002)
start:
${code}
`;

/** Builds the kernel in `folder` and returns its path. */
export function assembleKernel(folder: string, name: string, code: string): string {
  const assembly = join(folder, `${name}.S`);
  const object = join(folder, `${name}.o`);
  const kernel = join(folder, `${name}.elf`);
  writeFileSync(assembly, source(code));
  execFileSync("gcc", ["-m32", "-c", assembly, "-o", object]);
  const layout = ["-m", "elf_i386", "-Ttext", "0x100000", "-e", "start", "--build-id=none"];
  execFileSync("ld", [...layout, "-N", "-z", "noexecstack", object, "-o", kernel]);
  return kernel;
}
