/** What a run says of each invariant, in words: for the rows of the view and the lenses of .inv files. */
import type { InvariantStatus } from "../../debug-adapter/protocol.ts";
import { counted } from "../counted.ts";

/** Where in the run, by the number of the last exit before. */
export const exitPlace = (exit: number): string =>
  exit === 0 ? "before the first exit" : `at exit ${counted(exit)}`;

const times = (checks: number): string => (checks === 1 ? "once" : `${counted(checks)} times`);

function checked({ checks, lastExit }: InvariantStatus): string[] {
  if (checks === 0) return [];
  return [
    `checked ${times(checks)}`,
    ...(lastExit === undefined ? [] : [`last at exit ${counted(lastExit)}`]),
  ];
}

/** Where the run has it turn false, also of one that holds again, or now that the machine is back before it. */
function violated({ verdict, violation }: InvariantStatus): string[] {
  if (violation === undefined) return verdict === "violated" ? ["violated"] : [];
  return [`${verdict === "violated" ? "" : "seen "}violated ${exitPlace(violation.exit)}`];
}

const policies: { readonly [P in InvariantStatus["policy"]]: readonly string[] } = {
  stop: [],
  log: ["only logged"],
  off: ["off"],
};

const joined = (...parts: readonly (readonly string[])[]): string => parts.flat().join(" · ");

/** Beside the invariant's name in the view, below its verdict's group. */
export function rowSummary(status: InvariantStatus): string {
  return joined(policies[status.policy], violated(status), checked(status));
}

/** Above the invariant in its file. */
export function lensTitle(status: InvariantStatus): string {
  const { verdict } = status;
  if (status.policy === "off") return "off";
  const says = verdict === "violated" ? [] : [verdict];
  return joined(says, violated(status), checked(status), policies[status.policy]);
}

/** All of it, a line each. */
export function details(status: InvariantStatus): string {
  const { name, doc, source, verdict, reason, violation } = status;
  const lines = [
    doc === "" ? name : `${name}: ${doc}`,
    joined([verdict], checked(status), policies[status.policy]),
    violation?.message ?? "",
    verdict === "unknown" && reason !== undefined ? `Unknown: ${reason}` : "",
    source === undefined ? "" : `Source: ${source}`,
  ];
  return lines.filter((line) => line !== "").join("\n");
}

/** Of a check of the whole run. */
export function checkSummary(statuses: readonly InvariantStatus[]): string {
  const having = (wanted: InvariantStatus["verdict"]) =>
    statuses.filter(({ verdict }) => verdict === wanted).map(({ name }) => name);
  const violated = having("violated");
  const says = [
    violated.length === 0 ? "none is violated" : `violated: ${violated.join(", ")}`,
    ...(["unknown", "never checked"] as const).flatMap((verdict) => {
      const count = having(verdict).length;
      return count === 0 ? [] : [`${counted(count)} ${verdict}`];
    }),
  ];
  return `${counted(statuses.length)} invariants, checked on the whole recorded run: ${says.join("; ")}.`;
}
