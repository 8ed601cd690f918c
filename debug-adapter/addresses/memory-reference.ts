/** Memory references: an address with its space, e.g. "gva@g1/0x1e0a000:0xffffffff81000000". */
import { hex, parseInteger, UserError } from "../text.ts";

export type SpaceKind = "hpa" | "hva" | "gpa" | "gva";

/** A space as the user may write it: parts that are missing mean the current ones. */
export interface SpaceName {
  readonly kind: SpaceKind;
  /** From 1: the Nth nested page table that VMRUN was given. */
  readonly guest?: number;
  /** CR3 of a virtual address. */
  readonly root?: bigint;
}

export interface MemoryReference {
  readonly space: SpaceName;
  readonly address: bigint;
}

const GRAMMAR = "hpa:0x.., hva[@cr3]:0x.., gpa[@gN]:0x.. or gva[@gN[/cr3]]:0x..";

/** Parses the part before the colon. Throws a UserError. */
export function parseSpace(text: string, whole = text): SpaceName {
  const found = /^(hpa|hva|gpa|gva)(?:@(.+))?$/.exec(text);
  const kind = found?.[1] as SpaceKind | undefined;
  const rest = found?.[2];
  if (kind === undefined) throw badReference(whole);
  if (rest === undefined) return { kind };
  if (kind === "hva") return { kind, root: rootOf(rest, whole) };
  const parts = /^g([1-9][0-9]{0,5})(?:\/(.+))?$/.exec(rest);
  if (kind === "hpa" || !parts || (kind === "gpa" && parts[2] !== undefined)) {
    throw badReference(whole);
  }
  const guest = Number(parts[1]);
  return parts[2] === undefined ? { kind, guest } : { kind, guest, root: rootOf(parts[2], whole) };
}

/**
 * Parses a reference; a bare address is in `otherwise`'s space. Throws a UserError that quotes the
 * grammar.
 */
export function parseReference(text: string, otherwise: SpaceKind): MemoryReference {
  const colon = text.lastIndexOf(":");
  const address = parseInteger(text.slice(colon + 1));
  if (address === undefined || address < 0n || address >= 1n << 64n) throw badReference(text);
  const space = colon < 0 ? { kind: otherwise } : parseSpace(text.slice(0, colon).trim(), text);
  return { space, address };
}

export function formatReference({ space, address }: MemoryReference): string {
  return `${formatSpace(space)}:${hex(address)}`;
}

export function formatSpace(space: SpaceName): string {
  const { kind, guest, root } = space;
  if (kind === "hva" && root !== undefined) return `hva@${hex(root)}`;
  if (guest === undefined) return kind;
  return root === undefined || kind === "gpa"
    ? `${kind}@g${guest}`
    : `${kind}@g${guest}/${hex(root)}`;
}

function rootOf(text: string, whole: string): bigint {
  const root = parseInteger(text);
  if (root === undefined || root < 0n) throw badReference(whole);
  return root;
}

function badReference(text: string): UserError {
  return new UserError(`"${text}" is no memory reference; write ${GRAMMAR}.`);
}
