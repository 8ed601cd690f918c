/** $current: the task that a Linux kernel in the machine runs. */
import type { Debuggee } from "../debuggee.ts";
import { valueTerm } from "../expression/object.ts";
import type { Term } from "../expression/term.ts";
import { UserError } from "../text.ts";
import { homeOf } from "./program.ts";

/** A pointer to its task_struct. Throws a UserError where no kernel is known. */
export function currentTaskTerm(debuggee: Debuggee): Term {
  const current = debuggee.kernel?.current();
  if (current === undefined) {
    throw new UserError(
      "There is no $current: no Linux kernel with types of its own (BTF) runs yet in the machine.",
    );
  }
  const { world, address, type } = current;
  return valueTerm(homeOf(debuggee, world), { kind: "pointer", size: 8, target: type }, address);
}
