/** One address through all tables: each entry, rights, faults, what is there and what the TLB holds. */
import {
  describeExitInfo,
  EXCEPTION_EXIT,
  EXCEPTIONS,
  NPF_EXIT,
  PageReason,
  Rights,
  type TlbEntry,
  type Translation,
  type TranslationAccess,
  type TranslationLevel,
} from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import type {
  AccessFault,
  AccessKind,
  AccessVerdict,
  EntryRights,
  TlbTranslation,
  TranslateBody,
  WalkEntry,
} from "../protocol/addresses.ts";
import type { World } from "../register-file.ts";
import { hex } from "../text.ts";
import { formatReference, type MemoryReference, type SpaceName } from "./memory-reference.ts";
import { translationText } from "./translation-text.ts";

const KINDS: readonly AccessKind[] = ["read", "write", "execute"];
const CR4_SMAP = 1n << 21n;
const RFLAGS_AC = 1n << 18n;
const PAGE_MASK = ~0xfffn;

export const worldOf = ({ kind }: SpaceName): World =>
  kind === "gva" || kind === "gpa" ? "guest" : "host";

/** The reference is fully resolved. `access` is checked for rights if given. */
export function translation(
  debuggee: Debuggee,
  reference: MemoryReference,
  access?: { readonly kind: AccessKind; readonly user?: boolean | undefined },
): TranslateBody {
  const { spaces, images } = debuggee;
  const { space, address } = reference;
  const plain = spaces.translate(reference);
  const asked =
    access &&
    spaces.translate(
      reference,
      accessOf(debuggee, space, access.kind, access.user ?? isUser(debuggee, space)),
    );
  const first = space.kind === "hva" ? "host" : "guest";
  const told = asked ?? plain;
  const gpa =
    space.kind === "gpa" ? address : plain.kind === "page" ? plain.guestPhysical : undefined;
  const hpa = plain.kind === "page" ? plain.physical : undefined;
  const symbol =
    space.kind === "hva" || space.kind === "gva"
      ? images.nameOf(worldOf(space), address)
      : undefined;
  const memoryType = memoryTypeOf(debuggee, plain, first);
  const body = {
    memoryReference: formatReference(reference),
    walk: told.levels.map((level) => walkEntry(level, first)),
    ...(gpa === undefined ? {} : { gpa: gpaText(space, gpa) }),
    ...(hpa === undefined ? {} : { hpa: `hpa:${hex(hpa)}` }),
    permissions: permissions(plain, space),
    ...(told.kind === "fault" ? { fault: faultOf(told) } : {}),
    accesses: verdicts(debuggee, reference),
    ...(memoryType === undefined ? {} : { memoryType }),
    ...(hpa === undefined ? {} : { target: targetAt(debuggee, hpa) }),
    ...(symbol === undefined ? {} : { symbol }),
    tlb: tlbEntries(debuggee, reference, plain),
  };
  return { ...body, text: translationText(body) };
}

const gpaText = (space: SpaceName, address: bigint): string =>
  formatReference({
    space: space.guest === undefined ? { kind: "gpa" } : { kind: "gpa", guest: space.guest },
    address,
  });

/** Whether the world's code is at CPL 3; the nested tables see user accesses only. */
const isUser = ({ spaces }: Debuggee, space: SpaceName): boolean =>
  space.kind === "gpa" || spaces.cpl(worldOf(space)) === 3;

/** An access as the CPU would make it with the world's registers. */
function accessOf(
  debuggee: Debuggee,
  space: SpaceName,
  kind: AccessKind,
  user: boolean,
): TranslationAccess {
  const registers = debuggee.registers(worldOf(space));
  const isSet = (name: string, mask: bigint) => ((registers?.get(name) ?? 0n) & mask) !== 0n;
  const smap = !user && isSet("cr4", CR4_SMAP) && !isSet("rflags", RFLAGS_AC);
  return { write: kind === "write", fetch: kind === "execute", user, smap };
}

function verdicts(debuggee: Debuggee, reference: MemoryReference): AccessVerdict[] {
  const { space } = reference;
  if (space.kind === "hpa") return [];
  // Behind the nested tables every access is a user's (APM volume 2, section 15.25.5).
  const levels = space.kind === "gpa" ? [true] : [false, true];
  return levels.flatMap((user) =>
    KINDS.map((access) => {
      const checked = accessOf(debuggee, space, access, user);
      const result = debuggee.spaces.translate(reference, checked);
      return { access, user, ...(result.kind === "fault" ? { fault: faultOf(result) } : {}) };
    }),
  );
}

const FAULT_NAMES = { GP: "#GP", PF: "#PF", NPF: "NPF", none: "none" } as const;
const EXIT_OF = {
  PF: BigInt(EXCEPTION_EXIT + EXCEPTIONS.PF.vector),
  NPF: BigInt(NPF_EXIT),
} as const;

function faultOf(fault: Translation & { kind: "fault" }): AccessFault {
  const { code, address, reason, culprit } = fault;
  const exit = fault.fault === "PF" || fault.fault === "NPF" ? EXIT_OF[fault.fault] : undefined;
  return {
    kind: FAULT_NAMES[fault.fault],
    code: hex(code),
    inWords:
      exit === undefined ? "" : describeExitInfo({ code: exit, info1: code, info2: address }),
    address: hex(address),
    reason,
    ...(culprit === undefined ? {} : { entry: culprit }),
  };
}

/** Bits of an entry by the manual's names (APM volume 2, section 5.4.1), from bit 0. */
const BIT_NAMES = ["P", "R/W", "U/S", "PWT", "PCD", "A"] as const;

function entryBits({ value, leaf, level, bytes }: TranslationLevel): string {
  const has = (bit: number): boolean => ((value >> BigInt(bit)) & 1n) !== 0n;
  const names: string[] = BIT_NAMES.filter((_, bit) => has(bit));
  if (leaf && has(6)) names.push("D");
  if (has(7) && level > 1) names.push(level === 4 ? "bit 7" : "PS");
  if (has(level > 1 ? 12 : 7) && leaf) names.push("PAT");
  if (leaf && has(8)) names.push("G");
  if (bytes === 8 && has(63)) names.push("NX");
  return names.join(" ");
}

function pageSizeOf({ bytes, level }: TranslationLevel): number {
  return 2 ** (bytes === 4 ? 2 + level * 10 : 3 + level * 9);
}

function walkEntry(level: TranslationLevel, first: "host" | "guest"): WalkEntry {
  const { stage, entry, index, address, guestAddress, value, leaf, rights } = level;
  return {
    stage: stage === "nested" ? "nested" : first,
    name: entry,
    index,
    hpa: `hpa:${hex(address)}`,
    ...(guestAddress === undefined ? {} : { gpa: hex(guestAddress) }),
    value: hex(value),
    bits: entryBits(level),
    ...(leaf && (value & 1n) !== 0n ? { pageSize: pageSizeOf(level) } : {}),
    rights,
  };
}

function permissions(plain: Translation, { kind }: SpaceName): TranslateBody["permissions"] {
  if (plain.kind === "fault" || kind === "hpa") return {};
  if (kind === "hva") return { host: plain.rights };
  if (kind === "gpa") return { nested: plain.rights };
  const { rights, nestedRights } = plain;
  return { guest: rights, ...(nestedRights === undefined ? {} : { nested: nestedRights }) };
}

/** Memory types as the PAT encodes them (APM volume 2, section 7.8.1). */
const PAT_TYPES: Readonly<Record<number, string>> = {
  0: "UC",
  1: "WC",
  4: "WT",
  5: "WP",
  6: "WB",
  7: "UC-",
};

function memoryTypeOf(
  debuggee: Debuggee,
  plain: Translation,
  first: "host" | "guest",
): string | undefined {
  if (plain.kind === "fault") return undefined;
  const types: string[] = [];
  for (const stage of ["paging", "nested"] as const) {
    const leaf = plain.levels.findLast((level) => level.stage === stage && level.leaf);
    if (leaf === undefined) continue;
    const world = stage === "nested" ? "host" : first;
    const bit = (n: number) => Number((leaf.value >> BigInt(n)) & 1n);
    const index = bit(3) + bit(4) * 2 + bit(leaf.level > 1 ? 12 : 7) * 4;
    const type = Number((debuggee.spaces.pat(world) >> BigInt(index * 8)) & 7n);
    types.push(`${stage === "nested" ? "nested" : first} ${PAT_TYPES[type] ?? "reserved"}`);
  }
  return types.length === 0 ? undefined : types.join(", ");
}

function targetAt({ machine }: Debuggee, hpa: number): NonNullable<TranslateBody["target"]> {
  const { memory } = machine;
  const device = memory.deviceAt(hpa);
  if (device !== undefined) return { kind: "device", device: device.name };
  if (memory.pointer(hpa) < 0) return { kind: "hole" };
  return { kind: (memory.reasons(hpa) & PageReason.rom) !== 0 ? "ROM" : "RAM" };
}

const rightsOf = (rights: number): EntryRights => ({
  write: (rights & Rights.write) !== 0,
  user: (rights & Rights.user) !== 0,
  execute: (rights & Rights.execute) !== 0,
});

/** The TLB knows ASIDs, not tables: it is asked only for addresses under the present ones. */
function tlbEntries(
  debuggee: Debuggee,
  { space, address }: MemoryReference,
  plain: Translation,
): TlbTranslation[] {
  const asid = debuggee.spaces.asid(space);
  if (asid === undefined) return [];
  const { tlb } = debuggee.machine.cpu.mmu;
  const page = address & PAGE_MASK;
  return [...tlb.entries()]
    .filter((entry) => entry.linear === page && entry.asid === asid)
    .map((entry) => ({
      kind: entry.kind,
      user: (entry.bank & 1) !== 0,
      hpa: `hpa:${hex(entry.frame * 4096 + Number(address & 0xfffn))}`,
      rights: rightsOf(entry.rights),
      stale: isStale(entry, debuggee, plain),
    }));
}

function isStale(entry: TlbEntry, { machine }: Debuggee, plain: Translation): boolean {
  if (plain.kind === "fault") return true;
  const frame = Math.floor(machine.memory.canonical(plain.physical) / 4096);
  const { write, user, execute } = rightsOf(entry.rights);
  const { rights } = plain;
  const same = write === rights.write && user === rights.user && execute === rights.execute;
  return entry.frame !== frame || !same;
}
