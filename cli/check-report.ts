/** What `minvisor check` found, as text, SARIF 2.1.0 and JUnit XML. */
import {
  type Blame,
  type CheckedInvariant,
  type InvariantStatus,
  type Line,
  type Violation,
  violationText,
} from "../invariants/index.ts";

/** A violation with the line that last wrote what made it false, if there is one. */
export interface Finding extends Blame {
  readonly violation: Violation;
}

export interface CheckResult {
  readonly invariants: readonly CheckedInvariant[];
  readonly status: readonly InvariantStatus[];
  readonly findings: readonly Finding[];
  /** What was never checked is an error too. */
  readonly vacuousIsError: boolean;
}

/** One sentence about every run: what was and was not shown. */
const HONEST = "Checked on this run; a run that is not executed is not checked.";

export const failures = ({ status, vacuousIsError }: CheckResult): readonly InvariantStatus[] =>
  status.filter(
    ({ state }) => state === "violated" || (vacuousIsError && state === "never checked"),
  );

const place = ({ path, line }: Line): string => `${path}:${line}`;

export function textReport(result: CheckResult): string {
  const { status, findings } = result;
  const width = Math.max(0, ...status.map(({ name }) => name.length));
  const lines = status.map(({ name, state, checked, reason }) => {
    const why = state === "unknown" && reason !== undefined ? ` (${reason})` : "";
    return `${state.padEnd(13)} ${name.padEnd(width)} checked ${checked} times${why}`;
  });
  for (const { violation, culprit, vmrun, remark } of findings) {
    const { invariant, message, expected, actual, icount, exitNumber } = violation;
    lines.push(
      "",
      `${culprit ? `${place(culprit)}: ` : ""}${invariant} is violated at icount ${icount}, exit ${exitNumber}`,
      `  ${message}.`,
      `  expected ${expected}`,
      `  actual   ${actual}`,
    );
    if (vmrun !== undefined) lines.push(`  found at ${place(vmrun)}`);
    if (remark !== undefined) lines.push(`  ${remark}.`);
  }
  return `${[...lines, "", HONEST].join("\n")}\n`;
}

const location = ({ path, line }: Line) => ({
  physicalLocation: { artifactLocation: { uri: path }, region: { startLine: line } },
});

function sarifResult({ violation, culprit, vmrun, remark }: Finding) {
  const { invariant, icount, exitNumber } = violation;
  const at = culprit ?? vmrun;
  const text = `${violationText(violation)}${remark === undefined ? "" : ` ${remark}.`}`;
  return {
    ruleId: invariant,
    level: "error",
    message: { text },
    locations: at === undefined ? [] : [location(at)],
    relatedLocations:
      culprit === undefined || vmrun === undefined
        ? []
        : [{ ...location(vmrun), message: { text: "The VMRUN at which it was found" } }],
    properties: { icount, exit: exitNumber },
  };
}

function vacuousResult({ name }: InvariantStatus, isError: boolean) {
  return {
    ruleId: name,
    level: isError ? "error" : "note",
    message: { text: `${name} was never checked on this run: its events did not come.` },
    locations: [],
  };
}

export function sarifReport(result: CheckResult): string {
  const { invariants, status, findings, vacuousIsError } = result;
  const vacuous = status.filter(({ state }) => state === "never checked");
  const rules = invariants.map(({ name, doc, source }) => ({
    id: name,
    shortDescription: { text: doc === "" ? name : doc },
    ...(source === undefined ? {} : { fullDescription: { text: `${doc} (${source})` } }),
  }));
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "minvisor check",
            informationUri: "https://github.com/minvisor/minvisor",
            rules,
          },
        },
        results: [
          ...findings.map(sarifResult),
          ...vacuous.map((each) => vacuousResult(each, vacuousIsError)),
        ],
      },
    ],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};
const escaped = (text: string): string => text.replace(/[&<>"]/g, (each) => ESCAPES[each] ?? each);

function junitCase(status: InvariantStatus, result: CheckResult): string {
  const { name, state, reason, checked } = status;
  const found = result.findings.find(({ violation }) => violation.invariant === name);
  const head = `    <testcase classname="invariants" name="${escaped(name)}" assertions="${checked}"`;
  if (state === "violated") {
    const message = escaped(found?.violation.message ?? reason ?? "");
    const at = found?.culprit === undefined ? "" : escaped(place(found.culprit));
    return `${head}>\n      <failure message="${message}">${at}</failure>\n    </testcase>`;
  }
  if (state === "holds") return `${head}/>`;
  const why = escaped(reason ?? "its events did not come");
  const isError = state === "never checked" && result.vacuousIsError;
  const element = isError ? "failure" : "skipped";
  return `${head}>\n      <${element} message="${state}: ${why}"/>\n    </testcase>`;
}

export function junitReport(result: CheckResult): string {
  const { status } = result;
  const failed = failures(result).length;
  const skipped = status.filter(({ state }) => state === "unknown" || state === "never checked");
  const notRun = skipped.length - (result.vacuousIsError ? failed - countViolated(status) : 0);
  const counts = `tests="${status.length}" failures="${failed}" skipped="${notRun}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    "<testsuites>",
    `  <testsuite name="minvisor check" ${counts}>`,
    ...status.map((each) => junitCase(each, result)),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

const countViolated = (status: readonly InvariantStatus[]): number =>
  status.filter(({ state }) => state === "violated").length;
