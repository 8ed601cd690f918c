// What may differ after an instruction, by name: each time, QEMU is given our value and it is counted.

import { type Instruction, Mnemonic, RflagsBits } from "iced-x86";

/** What a rule looks at. */
export interface Executed {
  readonly instruction: Instruction;
  /** EAX and ECX before it. */
  readonly eax: number;
  readonly ecx: number;
  /** A fault or an exit took its place. */
  readonly replaced: boolean;
}

export interface Rule {
  readonly name: string;
  readonly why: string;
  /** Registers that may differ; for "eflags" only the bits of flagMask. */
  readonly registers: (executed: Executed) => readonly string[];
}

const RESULTS_OF_CPUID = ["rax", "rbx", "rcx", "rdx"];
/** Leaves that differ by choice: test/machine/qemu-comparison-cpuid.test.ts says why. */
const CPUID_LEAVES = new Set([1, 0x4000_0000, 0x4000_0001, 0x8000_0007, 0x8000_000a]);
const LAST_STANDARD = 1;
const LAST_EXTENDED = 0x8000_000a;

function cpuidMayDiffer(leaf: number): boolean {
  if (CPUID_LEAVES.has(leaf)) return true;
  return leaf < 0x8000_0000 ? leaf > LAST_STANDARD : leaf > LAST_EXTENDED;
}

const READS_TIME: ReadonlySet<number> = new Set([Mnemonic.Rdtsc, Mnemonic.Rdtscp]);

const IRETS: ReadonlySet<number> = new Set([Mnemonic.Iret, Mnemonic.Iretd, Mnemonic.Iretq]);
const RFLAGS_RF = 0x1_0000n;

const MSR_TSC = 0x10;

const RULES: readonly Rule[] = [
  {
    name: "time-stamp counter",
    why: "our TSC is virtual time, QEMU's the clock of the machine it runs on",
    registers: ({ instruction: { mnemonic }, ecx }) =>
      READS_TIME.has(mnemonic) || (mnemonic === Mnemonic.Rdmsr && ecx === MSR_TSC)
        ? ["rax", "rdx"]
        : [],
  },
  {
    name: "port input",
    why: "devices answer by time, and QEMU has more of them on its PCI bus",
    registers: ({ instruction }) => (instruction.mnemonic === Mnemonic.In ? ["rax"] : []),
  },
  {
    name: "CPUID leaf",
    why: "leaves that QEMU cannot be told to report as ours, and those beyond the last",
    registers: ({ instruction, eax, replaced }) =>
      instruction.mnemonic === Mnemonic.Cpuid && !replaced && cpuidMayDiffer(eax)
        ? RESULTS_OF_CPUID
        : [],
  },
  {
    name: "RF of an injected fault",
    why: "our delivery of a fault saves RF = 1 (APM volume 2, section 3.1.6), QEMU's of EVENTINJ does not",
    registers: ({ instruction }) => (IRETS.has(instruction.mnemonic) ? ["eflags"] : []),
  },
  {
    name: "undefined flags",
    why: "flags that the instruction leaves undefined",
    registers: ({ instruction, replaced }) =>
      instruction.rflagsUndefined !== RflagsBits.None && !replaced ? ["eflags"] : [],
  },
];

/** RFLAGS bits that may differ: those that the instruction leaves undefined, and RF after IRET. */
function flagMask(instruction: Instruction): bigint {
  if (IRETS.has(instruction.mnemonic)) return RFLAGS_RF;
  const bits = instruction.rflagsUndefined;
  const positions: readonly (readonly [RflagsBits, bigint])[] = [
    [RflagsBits.CF, 0x1n],
    [RflagsBits.PF, 0x4n],
    [RflagsBits.AF, 0x10n],
    [RflagsBits.ZF, 0x40n],
    [RflagsBits.SF, 0x80n],
    [RflagsBits.OF, 0x800n],
  ];
  return positions.reduce((mask, [bit, flag]) => ((bits & bit) === 0 ? mask : mask | flag), 0n);
}

export interface Excuse {
  readonly rule: string;
  readonly register: string;
  readonly value: bigint;
}

/** Which differences the rules excuse; undefined when one of them is not excused. */
export function excuse(
  names: readonly string[],
  executed: Executed,
  ours: ReadonlyMap<string, bigint>,
  theirs: ReadonlyMap<string, bigint>,
): Excuse[] | undefined {
  const excuses: Excuse[] = [];
  for (const name of names) {
    const value = ours.get(name) as bigint;
    const rule = RULES.find((candidate) => candidate.registers(executed).includes(name));
    if (rule === undefined) return undefined;
    const allowed = name === "eflags" ? flagMask(executed.instruction) : -1n;
    if (((value ^ (theirs.get(name) as bigint)) & ~allowed) !== 0n) return undefined;
    excuses.push({ rule: rule.name, register: name, value });
  }
  return excuses;
}
