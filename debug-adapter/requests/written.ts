/** Tells the client of what the user's assignment has changed. */

import { formatReference } from "../addresses/memory-reference.ts";
import type { Context } from "../context.ts";
import { placeReference } from "../place-access.ts";
import type { ValuePlace } from "../value-place.ts";

/** Everything is shown anew; views of memory are told where. */
export function tellWritten(context: Context, place: ValuePlace | undefined): void {
  context.changed();
  const reference = place && placeReference(place);
  if (reference === undefined || !context.client.supportsMemoryEvent) return;
  const memoryReference = formatReference(reference);
  context.afterResponse(() =>
    context.emit("memory", { memoryReference, offset: 0, count: reference.size }),
  );
}
