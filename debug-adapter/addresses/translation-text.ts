/** Translations in words, a line each: for the debug console. */
import type {
  AccessFault,
  AccessVerdict,
  EntryRights,
  ReverseTranslateBody,
  TranslateBody,
} from "../protocol/addresses.ts";

const UNITS = [
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
] as const;

function sizeText(bytes: number): string {
  const [unit, name] = UNITS.find(([each]) => bytes >= each) ?? [1, "bytes"];
  return `${bytes / unit} ${name}`;
}

const rightsText = ({ write, user, execute }: EntryRights): string =>
  `r${write ? "w" : "-"}${execute ? "x" : "-"} ${user ? "user" : "supervisor"}`;

function faultText({ kind, code, inWords, address, reason }: AccessFault): string {
  if (kind === "none") return reason;
  if (kind === "#GP") return `#GP: ${reason}`;
  const [names, place] = kind === "NPF" ? ["EXITINFO1", "EXITINFO2"] : ["error code", "CR2"];
  return `${kind} ${names} ${code}, ${place} ${address} (${inWords}): ${reason}`;
}

/** "supervisor: read, execute; user: nothing (#PF ...)". */
function accessLines(accesses: readonly AccessVerdict[]): string[] {
  return [false, true].flatMap((user) => {
    const mine = accesses.filter((each) => each.user === user);
    if (mine.length === 0) return [];
    const allowed = mine.filter(({ fault }) => fault === undefined).map(({ access }) => access);
    const who = user ? "user" : "supervisor";
    const lines = [`  ${who} may ${allowed.join(", ") || "do nothing"}`];
    for (const { access, fault } of mine) {
      if (fault !== undefined) lines.push(`    ${access}: ${faultText(fault)}`);
    }
    return lines;
  });
}

export function translationText(body: Omit<TranslateBody, "text">): string {
  const { memoryReference, symbol, walk, gpa, hpa, target, fault } = body;
  const lines = [symbol === undefined ? memoryReference : `${memoryReference} <${symbol}>`];
  const width = Math.max(0, ...walk.map(({ name }) => name.length));
  walk.forEach(({ stage, name, index, hpa: at, gpa: seen, value, bits, pageSize }, i) => {
    const indent = stage === "nested" ? "    " : "  ";
    const guest = seen === undefined ? "" : ` (gpa ${seen})`;
    const page = pageSize === undefined ? "" : `  ${sizeText(pageSize)} page`;
    const mark = fault?.entry === i ? "  <- here" : "";
    const label = `${stage} ${name.padEnd(width)}[${index}]`;
    lines.push(
      `${indent}${label} at ${at}${guest} = ${value}  ${bits || "nothing set"}${page}${mark}`,
    );
  });
  if (gpa !== undefined && gpa !== memoryReference) lines.push(`  -> ${gpa}`);
  if (hpa !== undefined) {
    const what = target?.kind === "device" ? `device ${target.device}` : (target?.kind ?? "");
    const type = body.memoryType === undefined ? "" : `, memory type by PAT: ${body.memoryType}`;
    lines.push(`  -> ${hpa}: ${what}${type}`);
  }
  for (const [stage, rights] of Object.entries(body.permissions)) {
    lines.push(`  ${stage} permissions: ${rightsText(rights)}`);
  }
  if (fault !== undefined) lines.push(`  fault: ${faultText(fault)}`);
  if (hpa !== undefined) lines.push(...accessLines(body.accesses));
  for (const { kind, user, hpa: held, rights, stale } of body.tlb) {
    const old = stale ? "STALE: the tables say otherwise" : "as the tables";
    lines.push(
      `  TLB, ${kind}, ${user ? "user" : "supervisor"}: ${held} ${rightsText(rights)}, ${old}`,
    );
  }
  return lines.join("\n");
}

export function reverseText(
  asked: string,
  { hpa, mappings, incomplete }: Omit<ReverseTranslateBody, "text">,
): string {
  const lines = [hpa === undefined || hpa === asked ? asked : `${asked} -> ${hpa}`];
  for (const { memoryReference, pageSize, rights, symbol } of mappings) {
    const name = symbol === undefined ? "" : ` <${symbol}>`;
    lines.push(`  ${memoryReference}${name}  ${sizeText(pageSize)} page  ${rightsText(rights)}`);
  }
  if (mappings.length === 0) lines.push("  no address reaches it");
  if (incomplete !== undefined) lines.push(`  ${incomplete}`);
  return lines.join("\n");
}
