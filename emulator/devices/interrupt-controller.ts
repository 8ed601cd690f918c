/** All interrupt chips of the PC as the CPU sees them, and the ISA lines that feed them. */

import type { InterruptSource } from "../vcpu.ts";
import type { DeviceClock, Line } from "./device.ts";
import { IoApic } from "./io-apic.ts";
import { LocalApic } from "./local-apic.ts";
import { Pic } from "./pic.ts";

export interface InterruptControllerHost {
  /** `pending()` may have changed. */
  readonly changed: () => void;
  readonly nonMaskable: () => void;
}

export class InterruptController implements InterruptSource {
  readonly pic: Pic;
  readonly ioApic: IoApic;
  readonly localApic: LocalApic;

  constructor(apicClock: DeviceClock, host: InterruptControllerHost) {
    this.localApic = new LocalApic(apicClock, {
      endOfInterrupt: (vector) => this.ioApic.endOfInterrupt(vector),
      nonMaskable: host.nonMaskable,
      changed: host.changed,
    });
    this.ioApic = new IoApic((message) => this.localApic.receive(message));
    this.pic = new Pic((high) => this.localApic.setLint0(high));
  }

  /** ISA line n goes to input n of the PIC and of the I/O APIC; the timer's line 0 to input 2. */
  isaLine(irq: number): Line {
    return (high) => {
      this.pic.setLine(irq, high);
      this.ioApic.setLine(irq === 0 ? 2 : irq, high);
    };
  }

  pending(): boolean {
    if (this.localApic.pendingVector >= 0) return true;
    return this.localApic.passesExternal && this.pic.pending;
  }

  acknowledge(): number {
    const { localApic, pic } = this;
    if (localApic.pendingVector < 0 && localApic.passesExternal) return pic.acknowledge();
    return localApic.acknowledge();
  }

  getTaskPriority(): number {
    return this.localApic.getTaskPriority();
  }

  setTaskPriority(priority: number): void {
    this.localApic.setTaskPriority(priority);
  }
}
