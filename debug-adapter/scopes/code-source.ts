/** Where in the source an address of code is. */
import type { Debuggee } from "../debuggee.ts";
import type { SourceLine } from "../protocol.ts";
import type { World } from "../register-file.ts";

export function codeSource(
  debuggee: Debuggee,
  world: World,
  address: bigint,
): SourceLine | undefined {
  if (address === 0n) return undefined;
  const found = debuggee.images.sourceAt(world, address);
  return found && { path: found.path, line: found.line };
}

/** Of the guest's code. */
export const guestSource = (debuggee: Debuggee, address: bigint): SourceLine | undefined =>
  codeSource(debuggee, "guest", address);
