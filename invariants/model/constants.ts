/** Named integers of the invariant language: exits, MSRs, exception vectors, and a few bits. */
import {
  CR4_WRITABLE,
  EFER_WRITABLE,
  EXCEPTIONS,
  EXITS,
  MSRS,
  PHYSICAL_ADDRESS_BITS,
} from "../../emulator/index.ts";

export interface ConstantModel {
  readonly value: bigint;
  readonly doc: string;
  readonly section?: string;
}

/** MSRs that this machine does not have, but a guest must not reach where a CPU has them. */
const MORE_MSRS = {
  IORR_BASE0: 0xc001_0016,
  IORR_MASK0: 0xc001_0017,
  IORR_BASE1: 0xc001_0018,
  IORR_MASK1: 0xc001_0019,
  TOP_MEM: 0xc001_001a,
  TOP_MEM2: 0xc001_001d,
  SMM_BASE: 0xc001_0111,
  SMM_ADDR: 0xc001_0112,
  SMM_MASK: 0xc001_0113,
  IGNNE: 0xc001_0115,
  SMM_CTL: 0xc001_0116,
  SVM_KEY: 0xc001_0118,
} as const;

const TLB_FLUSHES = {
  TLB_FLUSH_NONE: 0,
  TLB_FLUSH_ALL: 1,
  TLB_FLUSH_ASID: 3,
  TLB_FLUSH_ASID_NON_GLOBAL: 7,
} as const;

/** What this CPU is: a VMCB that asks for more is refused. */
const CPU_LIMITS = {
  PHYSICAL_ADDRESS_BITS: [
    BigInt(PHYSICAL_ADDRESS_BITS),
    "Bits of a physical address (CPUID 8000_0008h)",
  ],
  CR4_SUPPORTED: [CR4_WRITABLE, "Bits of CR4 that the CPU implements"],
  EFER_SUPPORTED: [EFER_WRITABLE, "Bits of EFER that the CPU implements"],
} as const;

function* rows(): Generator<readonly [string, ConstantModel]> {
  for (const { name, code, doc } of EXITS) {
    yield [name, { value: BigInt(code), doc: `EXITCODE: ${doc}`, section: "appendix C" }];
  }
  for (const [name, number] of MSR_NUMBERS) {
    yield [
      `MSR_${name}`,
      { value: BigInt(number), doc: `Number of the MSR ${name}.`, section: "appendix A" },
    ];
  }
  for (const [name, vector] of EXCEPTION_VECTORS) {
    yield [
      `VECTOR_${name}`,
      { value: BigInt(vector), doc: `Vector of the exception #${name}.`, section: "8.2" },
    ];
  }
  for (const [name, value] of Object.entries(TLB_FLUSHES)) {
    yield [name, { value: BigInt(value), doc: "A value of TLB_CONTROL.", section: "15.16.2" }];
  }
  for (const [name, [value, doc]] of Object.entries(CPU_LIMITS)) {
    yield [name, { value, doc: `${doc}.`, section: "15.5.1" }];
  }
}

/** By name; constants are called MSR_NAME. */
export const MSR_NUMBERS: ReadonlyMap<string, number> = new Map([
  ...MSRS.map(({ name, number }): [string, number] => [name, number]),
  ...Object.entries(MORE_MSRS),
]);

/** Of an MSR in the brackets of an event: a name, or a number in hexadecimal. */
export const msrNumber = (argument: string): number =>
  MSR_NUMBERS.get(argument) ?? Number(argument);

/** By name; constants are called VECTOR_NAME. NMI is an interrupt. */
export const EXCEPTION_VECTORS: ReadonlyMap<string, number> = new Map(
  Object.entries(EXCEPTIONS)
    .filter(([name]) => name !== "NMI")
    .map(([name, { vector }]) => [name, vector]),
);

export const CONSTANTS: ReadonlyMap<string, ConstantModel> = new Map(rows());
