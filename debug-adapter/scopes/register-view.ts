/** The registers of one world as one frame sees them, each as a word that can be set. */
import { type BitFields, VMCB_FIELDS, type VmcbField } from "../../emulator/index.ts";
import type { RegisterFile, World } from "../register-file.ts";
import { UserError } from "../text.ts";
import type { ScopeView } from "./view.ts";
import type { Word } from "./words.ts";

/** The registers of one world, as one frame sees them. */
export interface RegisterView {
  readonly view: ScopeView;
  readonly world: World;
  readonly registers: RegisterFile;
  /** They are the world's own, not those of a frame further out. */
  readonly isInnermost: boolean;
  /** Memory reference of a virtual address of the world. */
  readonly refer: (address: bigint) => string | undefined;
}

/** Parts of registers, as the VMCB's table has them. */
const BITS: Readonly<Record<string, BitFields | undefined>> = Object.fromEntries(
  (["RFLAGS", "CR0", "CR4", "EFER", "DR6", "DR7"] as const).map((name) => {
    const field: VmcbField = VMCB_FIELDS[name];
    return [name.toLowerCase(), field.bits];
  }),
);

/** Why a register that has no value has none. */
export function missing({ world, view, isInnermost }: RegisterView): string {
  if (!isInnermost) return "not kept by the frames inside of this one";
  const { world: running } = view.debuggee;
  if (world === running) return "not available";
  return `not switched by VMRUN: the CPU holds what the ${running} has`;
}

/** How a watch names a register of this world. */
export function evaluateName({ world, view }: RegisterView, name: string): string {
  const { frame, debuggee } = view;
  const own = frame.kind === "code" ? frame.world : debuggee.world;
  return world === own ? `$${name}` : `$${world}.${name}`;
}

/** A register as a word that can be set; undefined where it has no value. */
export function registerWord(shown: RegisterView, name: string): Word | undefined {
  const { registers, world, isInnermost } = shown;
  const value = registers.get(name);
  if (value === undefined) return undefined;
  return {
    name,
    value,
    bits: BITS[name],
    ...(isInnermost ? { place: { kind: "register", world, name } } : {}),
    write: (number) => {
      if (registers.set(name, number)) return;
      throw new UserError(
        `${name} cannot be set here: its value is not known to be kept anywhere.`,
      );
    },
    read: () => registers.get(name) ?? value,
  };
}
