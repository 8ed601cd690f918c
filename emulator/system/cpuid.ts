/** CPUID: one table of leaves (APM volume 3, appendix E). */
import type { Vcpu } from "../vcpu.ts";
import {
  ASID_COUNT,
  EXTENDED_ECX,
  EXTENDED_EDX,
  FEATURES,
  featureWord,
  REPEATED_EDX,
  STANDARD_ECX,
  STANDARD_EDX,
  SVM_EDX,
} from "./features.ts";
import { PHYSICAL_ADDRESS_BITS } from "./mode.ts";

export interface CpuidResult {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** Family 15, model 107, stepping 1: what QEMU's qemu64 reports. */
const SIGNATURE = 0x0006_0fb1;
const BRAND = "MinVisor Virtual CPU";
const LINEAR_ADDRESS_BITS = 48;
const CLFLUSH_QUADWORDS = 8;

const word = (text: string, at: number): number => {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = value * 256 + (text.charCodeAt(at + i) || 0);
  return value;
};

/** "AuthenticAMD" in EBX, EDX, ECX. */
const VENDOR = {
  ebx: word("Auth", 0),
  edx: word("enti", 0),
  ecx: word("cAMD", 0),
};

const brandLeaf = (at: number): CpuidResult => ({
  eax: word(BRAND, at),
  ebx: word(BRAND, at + 4),
  ecx: word(BRAND, at + 8),
  edx: word(BRAND, at + 12),
});

const STANDARD_FEATURES: CpuidResult = {
  eax: SIGNATURE,
  ebx: CLFLUSH_QUADWORDS << 8,
  ecx: featureWord(STANDARD_ECX),
  edx: featureWord(STANDARD_EDX),
};

const EXTENDED_FEATURES: CpuidResult = {
  eax: SIGNATURE,
  ebx: 0,
  ecx: featureWord(EXTENDED_ECX),
  edx: ((STANDARD_FEATURES.edx & REPEATED_EDX) | featureWord(EXTENDED_EDX)) >>> 0,
};

const NOTHING: CpuidResult = { eax: 0, ebx: 0, ecx: 0, edx: 0 };

/** Every leaf that is not all zeros. No leaf here has subleaves. */
export const CPUID_LEAVES: ReadonlyMap<number, CpuidResult> = new Map([
  [0, { eax: 1, ...VENDOR }],
  [1, STANDARD_FEATURES],
  [0x8000_0000, { eax: 0x8000_000a, ...VENDOR }],
  [0x8000_0001, EXTENDED_FEATURES],
  [0x8000_0002, brandLeaf(0)],
  [0x8000_0003, brandLeaf(16)],
  [0x8000_0004, brandLeaf(32)],
  // Caches and TLBs as QEMU's qemu64 reports them: software counts its CPUIDs by them.
  // L1: 64 KiB each for data and code, 2-way, lines of 64 bytes; TLBs of 255 entries.
  [0x8000_0005, { eax: 0x01ff_01ff, ebx: 0x01ff_01ff, ecx: 0x4002_0140, edx: 0x4002_0140 }],
  // L2: 512 KiB, 16-way, lines of 64 bytes; TLBs of 512 entries, 4-way. L3: 16 MiB, 16-way.
  [0x8000_0006, { eax: 0, ebx: 0x4200_4200, ecx: 0x0200_8140, edx: 0x0080_8140 }],
  [0x8000_0007, { ...NOTHING, edx: FEATURES.INVARIANT_TSC ? 1 << 8 : 0 }],
  [0x8000_0008, { ...NOTHING, eax: PHYSICAL_ADDRESS_BITS | (LINEAR_ADDRESS_BITS << 8) }],
  [0x8000_000a, { eax: 1, ebx: ASID_COUNT, ecx: 0, edx: featureWord(SVM_EDX) }],
]);

const APIC_BIT = 1 << 9;
const APIC_BASE_ENABLE = 1n << 11n;

/**
 * What CPUID returns for a leaf: zeros above the last one. Leaf 1 has the initial APIC number, and
 * the APIC bit is clear while APIC_BASE.AE is (in 8000_0001 as well).
 */
export function cpuid(cpu: Vcpu, leaf: number): CpuidResult {
  const result = CPUID_LEAVES.get(leaf) ?? NOTHING;
  if (leaf !== 1 && leaf !== 0x8000_0001) return result;
  const apicOn = (cpu.apic.getApicBase() & APIC_BASE_ENABLE) !== 0n;
  const edx = apicOn ? result.edx : (result.edx & ~APIC_BIT) >>> 0;
  const ebx = leaf === 1 ? (result.ebx | (cpu.index << 24)) >>> 0 : result.ebx;
  return { ...result, ebx, edx };
}
