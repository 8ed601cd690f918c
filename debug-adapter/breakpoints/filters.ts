/** Exception filters: what each of the client's checkboxes stops at. */
import { EXIT_FILTERS, type FilterId } from "../protocol.ts";
import { UserError } from "../text.ts";
import type { Found } from "./breakpoint.ts";
import { parseEvent } from "./events.ts";

/** The events of each filter, as text; those without any are asked for elsewhere. */
const EVENTS: Record<FilterId, readonly string[]> = {
  exit: ["vmexit:*"],
  "exit:NPF": ["vmexit:NPF"],
  "exit:IOIO": ["vmexit:IOIO"],
  "exit:MSR": ["vmexit:MSR"],
  "exit:CPUID": ["vmexit:CPUID"],
  "exit:VMMCALL": ["vmexit:VMMCALL"],
  "exit:INTR": ["vmexit:INTR", "vmexit:VINTR", "vmexit:NMI", "vmexit:SMI", "vmexit:INIT"],
  "exit:registers": ["vmexit:CR*", "vmexit:DR*"],
  "exit:exceptions": ["vmexit:EXCP_*"],
  "exit:INVALID": ["vmexit:INVALID"],
  "guest:exceptions": ["guest:exception:*"],
  "guest:PF": ["guest:exception:PF"],
  "guest:GP": ["guest:exception:GP"],
  "guest:UD": ["guest:exception:UD"],
  "guest:DF": ["guest:exception:DF"],
  "host:exceptions": ["host:exception:*"],
  shutdown: [],
  invariant: [],
};

/** Throws a UserError that lists the filters. */
export function findFilter(filter: string): Found {
  const known = EXIT_FILTERS.find(([id]) => id === filter);
  if (known === undefined) {
    const ids = EXIT_FILTERS.map(([id]) => id).join(", ");
    throw new UserError(`There is no exception filter "${filter}"; the filters are ${ids}.`);
  }
  const found = EVENTS[known[0]].map((text) => parseEvent(text)?.found);
  const exits = found.flatMap((each) => each?.exits ?? []);
  const trigger = found.find((each) => each?.trigger)?.trigger;
  return { filter, ...(exits.length > 0 ? { exits } : {}), ...(trigger ? { trigger } : {}) };
}
