/** The breakpoints that DR0 to DR7 describe: which addresses they mean, and what meets them (APM volume 2, section 13.1). */

import type { CpuState } from "../state/cpu-state.ts";
import { flagMask } from "../state/flags.ts";
import { PAGE_SIZE } from "../state/memory-map.ts";
import { CR4 } from "./mode.ts";

/** R/Wn of DR7. 10b means I/O where CR4.DE is set, and nothing that is defined elsewhere. */
const KINDS = ["instruction", "write", "port", "readOrWrite"] as const;
/** LENn of DR7, in bytes. */
const LENGTHS = [1, 2, 8, 4] as const;
const ENABLES = 0xffn;
const RFLAGS_RF = flagMask("RF");

interface Breakpoint {
  /** Bn of DR6. */
  readonly bit: number;
  readonly kind: (typeof KINDS)[number];
  /** A multiple of the length: the bits below do not count. */
  readonly address: bigint;
  readonly length: number;
}

/** What the breakpoints need of the CPU around them. */
export interface BreakpointHost {
  readonly state: CpuState;
  /** Counts a reason to ask for breakpoints before the instructions at an offset of a page. */
  markInstructions(offset: number, by: 1 | -1): void;
  /** Has data accesses to a linear page told; returns what ends that. */
  watchLinear(linear: bigint): () => void;
  /** The current instruction is the last of its slice. */
  endSlice(): void;
}

/** Those that DR7 enables, locally or globally: there are no task switches to tell these apart. */
function described(state: CpuState): Breakpoint[] {
  const { dr7 } = state;
  const registers = [state.dr0, state.dr1, state.dr2, state.dr3];
  return registers.flatMap((address, n) => {
    const control = Number(BigInt.asUintN(32, dr7));
    if (((control >> (n * 2)) & 3) === 0) return [];
    const kind = KINDS[(control >> (16 + n * 4)) & 3] ?? "instruction";
    const length = kind === "instruction" ? 1 : (LENGTHS[(control >>> (18 + n * 4)) & 3] ?? 1);
    if (kind === "port" && (state.cr4 & CR4.DE) === 0n) return [];
    return [{ bit: 1 << n, kind, address: address & ~BigInt(length - 1), length }];
  });
}

const sameAs = (a: Breakpoint, b: Breakpoint | undefined): boolean =>
  a.bit === b?.bit && a.kind === b.kind && a.address === b.address && a.length === b.length;

/**
 * Derived from the debug registers: nothing here is machine state but state.breakpointsMet, which
 * holds what a data or I/O breakpoint's trap, due after the instruction, is to set in DR6.
 */
export class DebugBreakpoints {
  private readonly host: BreakpointHost;
  private active: readonly Breakpoint[] = [];
  private readonly ends: (() => void)[] = [];

  constructor(host: BreakpointHost) {
    this.host = host;
  }

  /** DR0 to DR3, DR7 or CR4.DE may have changed. */
  update(): void {
    const { state } = this.host;
    if (this.active.length === 0 && (state.dr7 & ENABLES) === 0n) return;
    const next = described(state);
    const same =
      next.length === this.active.length && next.every((b, i) => sameAs(b, this.active[i]));
    if (same) return;
    for (const end of this.ends.splice(0)) end();
    this.active = next;
    for (const breakpoint of next) this.arm(breakpoint);
  }

  private arm({ kind, address }: Breakpoint): void {
    const { host } = this;
    if (kind === "instruction") {
      const offset = Number(address & BigInt(PAGE_SIZE - 1));
      host.markInstructions(offset, 1);
      this.ends.push(() => host.markInstructions(offset, -1));
    } else if (kind !== "port") this.ends.push(host.watchLinear(address));
  }

  /** Bits of DR6 for the instruction at a linear address: none while RFLAGS.RF holds them off. */
  atInstruction(linear: bigint): number {
    if (this.active.length === 0 || (this.host.state.flagsOther & RFLAGS_RF) !== 0n) return 0;
    return this.bits((b) => b.kind === "instruction" && b.address === linear);
  }

  /** An instruction read or wrote these bytes. */
  accessed(linear: bigint, size: number, write: boolean): void {
    if (this.active.length === 0) return;
    this.meet(
      this.bits((b) => {
        const fits = b.kind === "readOrWrite" || (write && b.kind === "write");
        return fits && overlaps(b, linear, size);
      }),
    );
  }

  accessedPort(port: number, size: number): void {
    if (this.active.length === 0) return;
    this.meet(this.bits((b) => b.kind === "port" && overlaps(b, BigInt(port), size)));
  }

  private bits(met: (breakpoint: Breakpoint) => boolean): number {
    return this.active.reduce((bits, each) => (met(each) ? bits | each.bit : bits), 0);
  }

  private meet(bits: number): void {
    if (bits === 0) return;
    this.host.state.breakpointsMet |= bits;
    this.host.endSlice();
  }
}

function overlaps(breakpoint: Breakpoint, first: bigint, size: number): boolean {
  const { address, length } = breakpoint;
  return first < address + BigInt(length) && address < first + BigInt(size);
}
