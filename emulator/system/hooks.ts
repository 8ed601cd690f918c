/** What system code needs from SVM and the local APIC, as interfaces that they implement. */
import type { DeliveredEvent } from "./event.ts";

/** SVM's part in exceptions. Each method may throw InterceptExit. */
export interface DeliveryHooks {
  /**
   * An exception was raised (by an instruction, or while another event was being delivered) and is
   * not delivered yet: exits if the guest's exception intercepts say so. CR2 is still the old one;
   * DR6 already has a #DB's cause.
   */
  interceptException(vector: number, errorCode: number | undefined, address: bigint): void;
  /** The CPU is about to shut down. */
  interceptShutdown(): void;
  /**
   * The event whose delivery begins, or undefined when it is done. An exit in between records the
   * event in EXITINTINFO (APM volume 2, section 15.7.2).
   */
  noteDelivery(event: DeliveredEvent | undefined): void;
}

/** The local APIC's registers that are reached by MSR. */
export interface LocalApicRegisters {
  /** MSR 1Bh: base address, BSP (8), x2APIC enable (10), enable (11). */
  getApicBase(): bigint;
  /** Reserved bits are checked already; false for an illegal change of mode: #GP(0). */
  setApicBase(value: bigint): boolean;
  /** MSRs 800h to 8FFh: undefined when not in x2APIC mode or no such register: #GP(0). */
  readMsr(msr: number): bigint | undefined;
  /** False: #GP(0). */
  writeMsr(msr: number, value: bigint): boolean;
}
