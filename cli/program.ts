/** The hypervisor's program, for invariants that name its symbols. */
import type { ImageFile } from "../emulator/index.ts";
import { Program } from "../invariants/index.ts";
import { ProgramSymbols } from "../symbols/program.ts";

/** Undefined for a kernel that is no ELF file. */
export function programOf({ name, bytes }: ImageFile): Program | undefined {
  if (Buffer.from(bytes.subarray(0, 4)).toString("latin1") !== "\x7fELF") return undefined;
  return Program.of(new ProgramSymbols(bytes, name), name, bytes);
}
