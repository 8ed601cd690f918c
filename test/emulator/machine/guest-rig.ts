// The rig with a guest: a long-mode VMCB beside the rig's own state, entered by a VMRUN at CODE.

import type { Tier } from "../../../emulator/engine.ts";
import { VmcbView } from "../../../emulator/svm/vmcb-view.ts";
import { CODE, Rig, USER_CODE, USER_DATA } from "./rig.ts";

export const VMCB = 0x1_8000;
const HSAVE = 0x1_9000;
export const GUEST_CODE = 0xa000;
export const GUEST_STACK = 0x9000;

export class GuestRig extends Rig {
  constructor(tier: Tier = "compiled") {
    super("long", tier);
    const { state } = this;
    state.vmHsavePa = BigInt(HSAVE);
    state.rax = BigInt(VMCB);
    // vmrun; hlt
    this.code("0f 01 d8 f4");
    this.vmcb = new VmcbView(this.machine.memory, VMCB);
    this.setGuest(0);
  }
  readonly vmcb: VmcbView;

  /** A guest with the host's tables, at GUEST_CODE; only VMRUN is intercepted. */
  setGuest(cpl: 0 | 3): void {
    const { vmcb, state } = this;
    vmcb.write("INTERCEPT_MISC1", 0);
    vmcb.write("INTERCEPT_MISC2", 1);
    vmcb.write("INTERCEPT_EXCEPTIONS", 0);
    vmcb.write("EVENTINJ", 0n);
    vmcb.write("GUEST_ASID", 1);
    for (const name of ["EFER", "CR0", "CR3", "CR4", "DR6", "DR7"] as const) {
      vmcb.write(name, state[name.toLowerCase() as "efer"]);
    }
    vmcb.write("RFLAGS", 2n);
    vmcb.write("RIP", BigInt(GUEST_CODE));
    vmcb.write("RSP", BigInt(GUEST_STACK));
    vmcb.write("RAX", 0n);
    vmcb.write("CPL", cpl);
    vmcb.write("G_PAT", state.pat);
    const flat = { base: 0n, limit: 0xffff_ffff };
    const user = cpl === 3;
    const code = { ...flat, selector: user ? USER_CODE : 8, attributes: user ? 0xafb : 0xa9b };
    const data = {
      ...flat,
      selector: user ? USER_DATA : 0x10,
      attributes: user ? 0xcf3 : 0xc93,
    };
    vmcb.write("CS", code);
    for (const name of ["SS", "DS", "ES"] as const) vmcb.write(name, data);
    vmcb.write("GDTR", { ...state.gdtr, selector: 0, attributes: 0 });
    vmcb.write("IDTR", { ...state.idtr, selector: 0, attributes: 0 });
  }

  guestCode(text: string): void {
    this.code(text, GUEST_CODE);
  }

  /** Enters the guest and runs some of its instructions. */
  enter(instructions: number): void {
    this.state.rip = BigInt(CODE);
    this.state.rax = BigInt(VMCB);
    this.exceptions.length = 0;
    this.run(1 + instructions);
  }

  get inGuest(): boolean {
    return this.state.guestMode !== 0;
  }
}
