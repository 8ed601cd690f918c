/** The exceptions by name, and the two ways in which an instruction can end without completing. */

/** APM volume 2, section 8.2. `class` decides double faults (section 8.2.9); `code` pushes a word. */
export const EXCEPTIONS = {
  DE: { vector: 0, class: "contributory", code: false },
  DB: { vector: 1, class: "benign", code: false },
  NMI: { vector: 2, class: "benign", code: false },
  BP: { vector: 3, class: "benign", code: false },
  OF: { vector: 4, class: "benign", code: false },
  BR: { vector: 5, class: "benign", code: false },
  UD: { vector: 6, class: "benign", code: false },
  NM: { vector: 7, class: "benign", code: false },
  DF: { vector: 8, class: "doubleFault", code: true },
  TS: { vector: 10, class: "contributory", code: true },
  NP: { vector: 11, class: "contributory", code: true },
  SS: { vector: 12, class: "contributory", code: true },
  GP: { vector: 13, class: "contributory", code: true },
  PF: { vector: 14, class: "pageFault", code: true },
  MF: { vector: 16, class: "benign", code: false },
  AC: { vector: 17, class: "benign", code: true },
  MC: { vector: 18, class: "benign", code: false },
  XF: { vector: 19, class: "benign", code: false },
} as const satisfies Record<
  string,
  { vector: number; class: "benign" | "contributory" | "pageFault" | "doubleFault"; code: boolean }
>;

export type ExceptionName = keyof typeof EXCEPTIONS;

/** Name of an exception vector, if it is an architectural exception. */
export function exceptionName(vector: number): ExceptionName | undefined {
  return (Object.keys(EXCEPTIONS) as ExceptionName[]).find((n) => EXCEPTIONS[n].vector === vector);
}

/** Thrown by complex semantics and memory access: the instruction ends with this exception. */
export class GuestFault {
  constructor(
    exception: ExceptionName,
    /** Pushed for exceptions that have one. */
    errorCode = 0,
    /** CR2 for #PF. */
    address = 0n,
  ) {
    this.exception = exception;
    this.errorCode = errorCode;
    this.address = address;
  }
  readonly exception: ExceptionName;
  readonly errorCode: number;
  readonly address: bigint;
}

/** Thrown when an intercept or nested page fault replaces the instruction by a #VMEXIT. */
export class InterceptExit {
  constructor(exitCode: number, info1 = 0n, info2 = 0n) {
    this.exitCode = exitCode;
    this.info1 = info1;
    this.info2 = info2;
  }
  readonly exitCode: number;
  readonly info1: bigint;
  readonly info2: bigint;
}
