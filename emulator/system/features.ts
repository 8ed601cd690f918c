/** What this CPU has: one constant a feature, from which CPUID, CR4, EFER and the rows' `feature` follow. */

/** CPUID never claims what is not there: a feature that is off is #UD or #GP where it is used. */
export const FEATURES = {
  X87: true,
  VME: false,
  DE: true,
  PSE: true,
  TSC: true,
  MSR: true,
  PAE: true,
  MCE: false,
  CX8: true,
  APIC: true,
  X2APIC: true,
  SEP: true,
  MTRR: false,
  PGE: true,
  MCA: false,
  CMOV: true,
  PAT: true,
  PSE36: true,
  CLFLUSH: true,
  MMX: true,
  FXSR: true,
  SSE: true,
  SSE2: true,
  SSE3: true,
  MONITOR: false,
  CX16: true,
  POPCNT: true,
  SYSCALL: true,
  NX: true,
  FFXSR: false,
  PAGE_1G: false,
  RDTSCP: true,
  LM: true,
  LAHF: true,
  SVM: true,
  SKINIT: false,
  /** The TSC counts ticks of virtual time: 1 GHz whatever else happens. */
  INVARIANT_TSC: true,
  // SVM sub-features, CPUID 8000_000A EDX.
  SVM_NESTED_PAGING: true,
  SVM_LBR: true,
  SVM_LOCK: true,
  SVM_NRIP: true,
  SVM_TSC_RATE: false,
  SVM_CLEAN_BITS: true,
  SVM_FLUSH_BY_ASID: true,
  SVM_DECODE_ASSISTS: true,
  SVM_PAUSE_FILTER: true,
  SVM_PAUSE_FILTER_THRESHOLD: false,
} as const satisfies Record<string, boolean>;

export type FeatureName = keyof typeof FEATURES;

/** Address space identifiers 0 to 15: CPUID 8000_000A EBX. */
export const ASID_COUNT = 16;

/** Features as a word of CPUID: bit number to feature. */
export type FeatureBits = { readonly [bit: number]: FeatureName };

/** CPUID 0000_0001 EDX; 8000_0001 EDX repeats most of it (APM volume 3, appendix E). */
export const STANDARD_EDX: FeatureBits = {
  0: "X87",
  1: "VME",
  2: "DE",
  3: "PSE",
  4: "TSC",
  5: "MSR",
  6: "PAE",
  7: "MCE",
  8: "CX8",
  9: "APIC",
  11: "SEP",
  12: "MTRR",
  13: "PGE",
  14: "MCA",
  15: "CMOV",
  16: "PAT",
  17: "PSE36",
  19: "CLFLUSH",
  23: "MMX",
  24: "FXSR",
  25: "SSE",
  26: "SSE2",
};

export const STANDARD_ECX: FeatureBits = {
  0: "SSE3",
  3: "MONITOR",
  13: "CX16",
  21: "X2APIC",
  23: "POPCNT",
};

/** Bits of 0000_0001 EDX that 8000_0001 EDX has too. */
export const REPEATED_EDX = 0x0183_f3ff;

export const EXTENDED_EDX: FeatureBits = {
  11: "SYSCALL",
  20: "NX",
  25: "FFXSR",
  26: "PAGE_1G",
  27: "RDTSCP",
  29: "LM",
};

export const EXTENDED_ECX: FeatureBits = { 0: "LAHF", 2: "SVM", 12: "SKINIT" };

export const SVM_EDX: FeatureBits = {
  0: "SVM_NESTED_PAGING",
  1: "SVM_LBR",
  2: "SVM_LOCK",
  3: "SVM_NRIP",
  4: "SVM_TSC_RATE",
  5: "SVM_CLEAN_BITS",
  6: "SVM_FLUSH_BY_ASID",
  7: "SVM_DECODE_ASSISTS",
  10: "SVM_PAUSE_FILTER",
  12: "SVM_PAUSE_FILTER_THRESHOLD",
};

/** The word with the bits of the features that are on. */
export function featureWord(bits: FeatureBits): number {
  let word = 0;
  for (const [bit, name] of Object.entries(bits)) {
    if (FEATURES[name]) word |= 1 << Number(bit);
  }
  return word >>> 0;
}
