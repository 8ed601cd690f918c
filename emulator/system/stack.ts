/** Pushing and popping frames of events and far transfers without moving RSP until all is done. */
import type { CpuState, Segment } from "../state/cpu-state.ts";
import type { Vcpu } from "../vcpu.ts";
import { Attribute } from "./descriptors.ts";
import { type ExceptionName, GuestFault } from "./exceptions.ts";
import { hasRealSegments, is64Bit } from "./mode.ts";
import { isCanonicalRange, segmentAllows } from "./segment-access.ts";

/** A stack, and who may use it. */
export interface StackPlace {
  readonly ss: Readonly<Segment>;
  readonly rsp: bigint;
  /** Addresses are 64 bits and flat. */
  readonly flat: boolean;
  /** Privilege level of the accesses. */
  readonly cpl: number;
  /** Error code of #SS, when the stack is not good for the access. */
  readonly faultCode: number;
}

/** The stack in use. */
export function currentStack(state: CpuState, external = 0): StackPlace {
  const { ss, rsp, cpl } = state;
  return { ss, rsp, flat: is64Bit(state), cpl, faultCode: external };
}

/** Bits of RSP that take part in addressing through this segment. */
function stackPointerBits(place: StackPlace): 16 | 32 | 64 {
  if (place.flat) return 64;
  return (place.ss.attributes & Attribute.big) !== 0 ? 32 : 16;
}

/** A position on a stack that moves with each push and pop. Accesses may throw GuestFault. */
export class StackCursor {
  private readonly cpu: Vcpu;
  private readonly place: StackPlace;
  private readonly bits: 16 | 32 | 64;
  private pointer: bigint;

  constructor(cpu: Vcpu, place: StackPlace) {
    this.cpu = cpu;
    this.place = place;
    this.bits = stackPointerBits(place);
    this.pointer = BigInt.asUintN(this.bits, place.rsp);
  }

  /** RSP with this position in the bits that the stack uses. */
  get rsp(): bigint {
    if (this.bits !== 16) return this.pointer;
    return (this.place.rsp & 0xffff_0000n) | this.pointer;
  }

  push(value: bigint, size: number): void {
    const next = BigInt.asUintN(this.bits, this.pointer - BigInt(size));
    const linear = this.linear(next, size, true);
    this.cpu.mmu.write(linear, size, BigInt.asUintN(size * 8, value), this.privilege());
    this.pointer = next;
  }

  pop(size: number): bigint {
    const value = this.cpu.mmu.read(this.linear(this.pointer, size, false), size, this.privilege());
    this.skip(size);
    return value;
  }

  /** Moves up by `bytes`. */
  skip(bytes: number): void {
    this.pointer = BigInt.asUintN(this.bits, this.pointer + BigInt(bytes));
  }

  /** A stack of an inner level is reached before CPL has changed. */
  private privilege(): "cpl" | "system" {
    return this.place.cpl === 3 ? "cpl" : "system";
  }

  private linear(offset: bigint, size: number, write: boolean): bigint {
    const { place } = this;
    if (place.flat) {
      if (isCanonicalRange(offset, size)) return offset;
    } else {
      const real = hasRealSegments(this.cpu.state) && place.cpl === this.cpu.state.cpl;
      if (segmentAllows(place.ss, Number(offset), size, write, real)) {
        return BigInt.asUintN(32, place.ss.base + offset);
      }
    }
    throw new GuestFault("SS" satisfies ExceptionName, place.faultCode);
  }
}
