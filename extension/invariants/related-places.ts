/** A violation as a problem: on which line, how long, and what is told beside its message. */
import type { InvariantStatus, SourceLine, ViolationBody } from "../../debug-adapter/protocol.ts";
import { counted } from "../counted.ts";
import { exitPlace } from "./verdicts.ts";

export interface RelatedPlace {
  readonly at: SourceLine;
  readonly says: string;
}

const instant = (icount: number, exit: number): string =>
  `${exitPlace(exit)}, after ${counted(icount)} instructions`;

/** The line that the violation is shown on: that of the culprit; where nothing wrote it, the VMRUN's. */
export const lineOf = ({ culprit, vmrun }: ViolationBody): SourceLine | undefined =>
  culprit ?? vmrun;

/** Who called the function of the culprit, innermost first; what has no source is left out. */
function callers(culprit: ViolationBody["culprit"]): RelatedPlace[] {
  const [, ...outer] = culprit?.stack ?? [];
  return outer.flatMap(({ name, path, line }) => {
    if (path === undefined || line === undefined) return [];
    return [{ at: { path, line }, says: `The culprit was called from ${name}` }];
  });
}

/** In the order in which one reads them: from the culprit and its callers to the check that found it. */
export function relatedPlaces(violation: ViolationBody): RelatedPlace[] {
  const { culprit, vmrun, lastGoodCheck, icount, exit } = violation;
  const places: { readonly at: SourceLine | undefined; readonly says: string }[] = [
    ...callers(culprit),
    {
      at: lastGoodCheck?.at,
      says: lastGoodCheck
        ? `The last check that found it to hold: ${instant(lastGoodCheck.icount, lastGoodCheck.exit)}`
        : "",
    },
    {
      at: culprit && vmrun,
      says: `Found by the check at this VMRUN, ${instant(icount, exit)}`,
    },
  ];
  return places.flatMap(({ at, says }) => (at === undefined ? [] : [{ at, says }]));
}

/**
 * Whether it stays a problem. What was seen to turn false, or was found by a check of the whole run, stays
 * wherever the machine goes in its past, until the invariant says something else or has not been violated in
 * a new run.
 */
export function staysTrue(invariant: string, statuses: readonly InvariantStatus[]): boolean {
  return statuses.some(({ name, violation }) => name === invariant && violation !== undefined);
}
