/** The I/O permission map (APM volume 2, section 15.10): one bit a port, any bit of an access counts. */

import type { Execution } from "../execution.ts";
import { SEGMENT_REGISTERS } from "../state/cpu-fields.ts";
import { InterceptExit } from "../system/exceptions.ts";
import type { IoAccess } from "../system/io-access.ts";
import type { PhysicalMemory } from "../vcpu.ts";
import { INTERCEPTS, isIntercepted } from "./intercepts.ts";

/**
 * Whether the map intercepts an access of `size` bytes at `port`. An access that passes port FFFFh
 * looks at the map's third page (section 15.10.1).
 */
function ioMapIntercepts(
  physical: PhysicalMemory,
  mapBase: number,
  port: number,
  size: number,
): boolean {
  const at = mapBase + (port >> 3);
  const shift = port & 7;
  let bits = Number(physical.read(at, 1));
  if (shift + size > 8) bits |= Number(physical.read(at + 1, 1)) << 8;
  return ((bits >> shift) & ((1 << size) - 1)) !== 0;
}

/** EXITINFO1 of an I/O exit (section 15.10.2). */
function ioExitInfo(access: IoAccess): bigint {
  const segment = access.string ? SEGMENT_REGISTERS.indexOf(access.segment) : 0;
  const flags =
    (access.in ? 1 : 0) |
    (access.string ? 1 << 2 : 0) |
    (access.rep ? 1 << 3 : 0) |
    (access.size << 4) |
    (access.addressSize << 6) |
    (segment << 10);
  return (BigInt(access.port) << 16n) | BigInt(flags);
}

/** Exits if the running guest intercepts this port access; EXITINFO2 is the next rip. */
export function interceptIo(x: Execution, access: IoAccess): void {
  const { state, physical } = x.cpu;
  if (!isIntercepted(state, "IOIO")) return;
  if (!ioMapIntercepts(physical, Number(state.iopmBase), access.port, access.size)) return;
  throw new InterceptExit(INTERCEPTS.IOIO.exitCode, ioExitInfo(access), x.nextRip());
}
