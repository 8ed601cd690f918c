/** Requests that translate addresses, forwards and backwards. */

import type { MemoryReference } from "../addresses/memory-reference.ts";
import { reverseTranslation } from "../addresses/reverse-translation.ts";
import { translation } from "../addresses/translation.ts";
import { type Context, stoppedIn } from "../context.ts";
import { UserError } from "../text.ts";
import type { Handlers } from "./types.ts";

const DEFAULT_LIMIT = 1000;
const MAX_LIMIT = 100_000;

/** A reference of the client, fully resolved; a bare address is virtual, of the CPU's world. */
export function referenceOf(context: Context, text: string): MemoryReference {
  const { debuggee } = stoppedIn(context);
  const reference = context.addresses.parse(text, debuggee.world === "host" ? "hva" : "gva");
  return debuggee.spaces.resolved(reference);
}

export const addressRequests: Handlers<"minvisor/translate" | "minvisor/reverseTranslate"> = {
  "minvisor/translate": (context, { memoryReference, access, user }) => {
    const reference = referenceOf(context, memoryReference);
    const { debuggee } = stoppedIn(context);
    return translation(debuggee, reference, access && { kind: access, user });
  },

  "minvisor/reverseTranslate": (context, { memoryReference, limit = DEFAULT_LIMIT }) => {
    const reference = referenceOf(context, memoryReference);
    if (limit < 1 || limit > MAX_LIMIT) {
      throw new UserError(`limit can be 1 to ${MAX_LIMIT}, not ${String(limit)}.`);
    }
    return reverseTranslation(stoppedIn(context).debuggee, reference, limit);
  },
};
