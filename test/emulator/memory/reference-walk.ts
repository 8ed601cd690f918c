/** Translation as the manual defines it, recursive and in BigInt: what the walker is compared with. */

export type Mode = "none" | "legacy" | "pae" | "long";

export interface ReferenceStage {
  readonly mode: Mode;
  readonly root: bigint;
  readonly nxe: boolean;
  readonly wp: boolean;
  readonly pse: boolean;
  readonly pge: boolean;
  readonly smep: boolean;
  /** PDPTEs in registers. */
  readonly pdptes?: readonly bigint[];
  readonly nested?: ReferenceStage;
}

export interface ReferenceAccess {
  readonly write: boolean;
  readonly user: boolean;
  readonly fetch: boolean;
  readonly smap: boolean;
}

export type ReferenceResult =
  | {
      readonly kind: "done";
      readonly physical: bigint;
      readonly bits: number;
      readonly write: boolean;
      readonly user: boolean;
      readonly execute: boolean;
      readonly global: boolean;
      readonly dirty: boolean;
    }
  | { readonly kind: "fault"; readonly code: number }
  | {
      readonly kind: "nested";
      readonly info1: bigint;
      readonly info2: bigint;
    };

/** Bits that must be zero in a present entry: APM volume 2, figures 5-4 to 5-31, MAXPHYADDR 40. */
const range = (high: number, low: number): bigint =>
  ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
const LONG_ADDRESS = range(51, 40);
const PAE_ADDRESS = range(62, 40);

interface Format {
  readonly shift: number;
  readonly width: number;
  readonly table: bigint;
  /** Reserved bits when PS makes it a leaf; undefined: PS has no meaning. */
  readonly large?: bigint;
  readonly noRights?: true;
}

const FORMATS: Record<Exclude<Mode, "none">, readonly Format[]> = {
  legacy: [
    { shift: 22, width: 10, table: 0n, large: range(21, 21) },
    { shift: 12, width: 10, table: 0n },
  ],
  pae: [
    { shift: 30, width: 2, table: range(63, 40) | range(8, 5) | range(2, 1), noRights: true },
    { shift: 21, width: 9, table: PAE_ADDRESS, large: PAE_ADDRESS | range(20, 13) },
    { shift: 12, width: 9, table: PAE_ADDRESS },
  ],
  long: [
    { shift: 39, width: 9, table: LONG_ADDRESS | range(8, 7) },
    { shift: 30, width: 9, table: LONG_ADDRESS | range(8, 8), large: LONG_ADDRESS | range(29, 13) },
    { shift: 21, width: 9, table: LONG_ADDRESS, large: LONG_ADDRESS | range(20, 13) },
    { shift: 12, width: 9, table: LONG_ADDRESS },
  ],
};

const bit = (value: bigint, n: number): boolean => ((value >> BigInt(n)) & 1n) === 1n;

export function referenceWalk(
  ram: DataView,
  stage: ReferenceStage,
  address: bigint,
  access: ReferenceAccess,
): ReferenceResult {
  const bytes = stage.mode === "legacy" ? 4 : 8;
  const fits = (at: bigint) => at + BigInt(bytes) <= BigInt(ram.byteLength);
  const read = (at: bigint): bigint => {
    if (!fits(at)) return range(bytes * 8 - 1, 0);
    return bytes === 4
      ? BigInt(ram.getUint32(Number(at), true))
      : ram.getBigUint64(Number(at), true);
  };
  const fault = (present: boolean, reserved: boolean): ReferenceResult => {
    const tellsFetch =
      (stage.nxe && stage.mode !== "legacy" && stage.mode !== "none") || stage.smep;
    const bits = [present, access.write, access.user, reserved, access.fetch && tellsFetch];
    return { kind: "fault", code: bits.reduce((code, b, i) => code | (b ? 1 << i : 0), 0) };
  };
  const nestedExit = (result: ReferenceResult, which: bigint, gpa: bigint): ReferenceResult => ({
    kind: "nested",
    info1: which | BigInt(result.kind === "fault" ? result.code : 0),
    info2: gpa,
  });
  const end = (result: Extract<ReferenceResult, { kind: "done" }>): ReferenceResult => {
    if (stage.nested === undefined) return result;
    const kind = { write: access.write, user: true, fetch: access.fetch, smap: false };
    const next = referenceWalk(ram, stage.nested, result.physical, kind);
    if (next.kind !== "done") return nestedExit(next, 1n << 32n, result.physical);
    const dirty = result.dirty && next.dirty && next.write;
    return { ...result, physical: next.physical, dirty };
  };
  const all = { write: true, user: true, execute: true, global: false };
  if (stage.mode === "none") {
    return end({ kind: "done", physical: address, bits: 12, dirty: true, ...all });
  }
  if (stage.mode !== "long" && address >= 1n << 32n) return fault(false, false);

  const used: { at: bigint; leaf: boolean }[] = [];
  const descend = (depth: number, table: bigint, rights: typeof all): ReferenceResult => {
    const format = FORMATS[stage.mode as Exclude<Mode, "none">][depth] as Format;
    const index = (address >> BigInt(format.shift)) & range(format.width - 1, 0);
    let at = table + index * BigInt(bytes);
    let entry: bigint;
    if (format.noRights && stage.pdptes !== undefined) {
      entry = stage.pdptes[Number(index)] as bigint;
    } else {
      if (stage.nested !== undefined) {
        const kind = { write: true, user: true, fetch: false, smap: false };
        const next = referenceWalk(ram, stage.nested, at, kind);
        if (next.kind !== "done") return nestedExit(next, 1n << 33n, at);
        at = next.physical;
      }
      entry = read(at);
    }
    if (!bit(entry, 0)) return fault(false, false);
    const last = format.shift === 12;
    const canBeLarge = format.large !== undefined && (stage.mode !== "legacy" || stage.pse);
    const leaf = last || (canBeLarge && bit(entry, 7));
    let reserved = leaf && !last ? (format.large as bigint) : format.table;
    if (bytes === 8 && !stage.nxe) reserved |= range(63, 63);
    if ((entry & reserved) !== 0n) return fault(true, true);
    if (!format.noRights) used.push({ at, leaf });
    const now = format.noRights
      ? rights
      : {
          write: rights.write && bit(entry, 1),
          user: rights.user && bit(entry, 2),
          execute: rights.execute && !(bytes === 8 && bit(entry, 63)),
          global: false,
        };
    if (!leaf) return descend(depth + 1, entry & range(39, 12) & range(bytes * 8 - 1, 0), now);

    const offset = range(format.shift - 1, 0);
    let base = entry & range(39, 12) & ~offset;
    if (stage.mode === "legacy" && !last) base |= ((entry >> 13n) & 0xffn) << 32n;
    const denied =
      (access.user && !now.user) ||
      (access.write && !now.write && (access.user || stage.wp)) ||
      (access.fetch && !now.execute) ||
      (!access.user && now.user && access.fetch && stage.smep) ||
      (!access.user && now.user && !access.fetch && access.smap);
    if (denied) return fault(true, false);
    const result = end({
      kind: "done",
      physical: base | (address & offset),
      bits: format.shift,
      dirty: bit(entry, 6) || access.write,
      ...now,
      global: stage.pge && bit(entry, 8),
    });
    if (result.kind === "done") {
      for (const { at: place, leaf: isLeaf } of used) {
        if (!fits(place)) continue;
        const low = ram.getUint32(Number(place), true);
        ram.setUint32(Number(place), low | 0x20 | (isLeaf && access.write ? 0x40 : 0), true);
      }
    }
    return result;
  };
  return descend(0, stage.root, all);
}
