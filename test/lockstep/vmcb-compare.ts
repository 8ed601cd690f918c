// The VMCB after a #VMEXIT in both machines' memory, field by field, and what QEMU is known to leave out.

import { VMCB_FIELDS, type VmcbFieldName, vmcbFieldBytes } from "../../emulator/svm/vmcb.ts";

interface KnownDifference {
  readonly why: string;
  /** Whether these two values are the known difference and nothing more. */
  readonly covers: (ours: bigint, theirs: bigint, before: bigint) => boolean;
}

/** EXITINFO1 of IOIO: A16, A32, A64 and the segment number (APM volume 2, section 15.10.2). */
const IOIO_ADDRESS_BITS = 0x1f80n;
const EXIT_IOIO = 0x7bn;
/** Bit 0 of the type, in a segment's 16 bytes as one number. */
const SEGMENT_ACCESSED = 1n << 16n;
/** Bit 1 of the type likewise: a busy task. */
const TASK_BUSY = 1n << 17n;
/** A segment's 16 bytes with a null selector and no attributes. */
const isNull = (segment: bigint): boolean => (segment & 0xffff_fffcn) === 0n;
const EVENT_VALID = 1n << 31n;

const notWritten = (_: bigint, theirs: bigint, before: bigint): boolean => theirs === before;

/** Fields that QEMU 7.2 does not write as AMD's manual says. `code` is our EXITCODE. */
function knownDifference(name: VmcbFieldName, code: bigint): KnownDifference | undefined {
  switch (name) {
    case "nRIP":
      return { why: "nRIP: QEMU's TCG does not save it", covers: notWritten };
    case "NUMBER_OF_BYTES_FETCHED":
    case "GUEST_INSTRUCTION_BYTES":
      return { why: "decode assists: QEMU's TCG has none", covers: notWritten };
    case "CS":
      return {
        why: "CS: QEMU's far transfers do not set the descriptor's accessed bit",
        covers: (ours, theirs) => ours === (theirs | SEGMENT_ACCESSED),
      };
    case "ES":
    case "SS":
    case "DS":
    case "FS":
    case "GS":
      return {
        why: "null selectors: AMD's CPUs keep limit and base, QEMU clears them",
        covers: (ours, theirs) => ours !== theirs && isNull(ours) && isNull(theirs),
      };
    case "LDTR":
      return {
        why: "null LDTR: AMD's CPUs keep limit and base, QEMU keeps the type",
        covers: (ours, theirs) => ((ours | theirs) & 0xfffcn) === 0n,
      };
    case "TR":
      return {
        why: "TR: QEMU's LTR marks the descriptor busy in memory only",
        covers: (ours, theirs) => ours === (theirs | TASK_BUSY),
      };
    case "EVENTINJ":
      return {
        why: "EVENTINJ: our #VMEXIT clears V, QEMU's the whole field",
        covers: (ours, theirs) => theirs === 0n && (ours & EVENT_VALID) === 0n,
      };
    case "EXITINTINFO":
      return {
        why: "EXITINTINFO: QEMU leaves old bits beside V = 0",
        covers: (ours, theirs) => ((ours | theirs) & EVENT_VALID) === 0n,
      };
    case "EXITINFO1":
      if (code !== EXIT_IOIO) return undefined;
      return {
        why: "EXITINFO1 of IOIO: QEMU leaves out address size and segment",
        covers: (ours, theirs) => ((ours ^ theirs) & ~IOIO_ADDRESS_BITS) === 0n,
      };
    default:
      return undefined;
  }
}

export interface FieldDifference {
  readonly name: string;
  readonly offset: number;
  readonly ours: bigint;
  readonly theirs: bigint;
  /** Why it is known; undefined is a real difference. */
  readonly why: string | undefined;
  /** Our bytes, to be given to QEMU. */
  readonly bytes: Uint8Array;
}

const littleEndian = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

/**
 * Compares two VMCBs of 4096 bytes; bytes of no field count as a field each. `before` is the VMCB
 * of both after the last comparison.
 */
export function compareVmcbs(
  ours: Uint8Array,
  theirs: Uint8Array,
  before: Uint8Array,
): FieldDifference[] {
  const code = littleEndian(ours.subarray(VMCB_FIELDS.EXITCODE.offset).subarray(0, 8));
  const found: FieldDifference[] = [];
  const seen = new Uint8Array(ours.length);
  const compare = (name: string, offset: number, size: number, field?: VmcbFieldName): void => {
    const bytes = ours.slice(offset, offset + size);
    seen.fill(1, offset, offset + size);
    const [own, their] = [
      littleEndian(bytes),
      littleEndian(theirs.subarray(offset, offset + size)),
    ];
    if (own === their) return;
    const known = field === undefined ? undefined : knownDifference(field, code);
    const last = littleEndian(before.subarray(offset, offset + size));
    const why = known?.covers(own, their, last) ? known.why : undefined;
    found.push({ name, offset, ours: own, theirs: their, why, bytes });
  };
  for (const name of Object.keys(VMCB_FIELDS) as VmcbFieldName[]) {
    compare(name, VMCB_FIELDS[name].offset, vmcbFieldBytes(name), name);
  }
  for (let offset = 0; offset < ours.length; offset++) {
    if (seen[offset] === 0) compare(`byte 0x${offset.toString(16)}`, offset, 1);
  }
  return found;
}
