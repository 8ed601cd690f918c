/** When an invariant is judged that names an event, a sentence each. */
import type { EventName } from "../language/syntax.ts";

export const EVENT_DOCS: { readonly [E in EventName]: string } = {
  vmrun: "Before VMRUN loads anything.",
  exit: "After #VMEXIT; of the kinds in brackets, as exit(NPF, CPUID).",
  npt_write: "An entry of a nested table changed: a host's write is judged at the next VMRUN.",
  vmcb_write: "The VMCB changed.",
  msr_write: "An MSR changed; one of those in brackets, as msr_write(EFER, 0xc0010117).",
  text_write: "A store to the image's executable or read-only segments.",
  write:
    "An instruction wrote to the range in brackets, as write(hv.image): as it was at the last vmrun or exit.",
  exception:
    "Before the host takes an exception, interrupts aside; of the kinds in brackets, as exception(PF).",
  call: "The hypervisor's function begins.",
  return: "The hypervisor's function has returned.",
  always: "At each vmrun, each exit and wherever the machine stops.",
};
