/** The .inv files of a session as they read: what is checked, where it is written, and what is wrong. */
import {
  type AddressRange,
  type CheckedInvariant,
  declaredIn,
  type InvariantText,
  lineColumn,
  type Program,
  type ResolvedFile,
  readInvariants,
  SHIPPED_INVARIANTS,
} from "../../invariants/index.ts";
import type { LaunchConfiguration } from "../launch-arguments.ts";
import type { InvariantProblem, SourceLine } from "../protocol.ts";
import { UserError } from "../text.ts";

export class InvariantFiles {
  readonly texts: readonly InvariantText[];
  /** Those that the launch attribute asks for. */
  readonly invariants: readonly CheckedInvariant[];
  /** What launch attributes and files declare hv.memory to be. */
  readonly hypervisorMemory: readonly AddressRange[] | undefined;
  readonly problems: readonly InvariantProblem[];
  readonly program: Program | undefined;
  private readonly configuration: LaunchConfiguration;

  /** Throws a UserError where the launch attribute names an invariant that there is not. */
  constructor(
    texts: readonly InvariantText[],
    configuration: LaunchConfiguration,
    program: Program | undefined,
  ) {
    this.texts = texts;
    this.configuration = configuration;
    this.program = program;
    const isOff = configuration.invariants === false;
    const files = isOff ? [] : readInvariants(texts, program);
    this.invariants = wanted(files, configuration.invariants);
    this.problems = files.flatMap((file) => this.problemsOf(file));
    const declared = [
      ...configuration.hypervisorMemory.map(({ start, end }) => {
        return { first: start, bytes: end - start };
      }),
      ...(declaredIn(files) ?? []),
    ];
    this.hypervisorMemory = declared.length === 0 ? undefined : declared;
  }

  /** With these, each for the one of its path. */
  with(texts: readonly InvariantText[]): InvariantFiles {
    const kept = this.texts.filter(({ path }) => !texts.some((each) => each.path === path));
    return new InvariantFiles([...kept, ...texts], this.configuration, this.program);
  }

  /** Undefined for the files that are shipped: they lie in no folder of the user's. */
  placeOf(invariant: string): SourceLine | undefined {
    const found = this.invariants.find(({ name }) => name === invariant);
    if (found === undefined) return undefined;
    const { file: path, span } = found;
    if (SHIPPED_INVARIANTS.some((each) => each.path === path)) return undefined;
    return { path, line: lineColumn(this.textOf(path), span.start).line };
  }

  private textOf(path: string): string {
    return this.texts.find((each) => each.path === path)?.text ?? "";
  }

  private problemsOf({ path, diagnostics }: ResolvedFile): InvariantProblem[] {
    return diagnostics.map(({ severity, message, start }) => {
      return { path, ...lineColumn(this.textOf(path), start), severity, message };
    });
  }
}

function wanted(
  files: readonly ResolvedFile[],
  which: boolean | readonly string[],
): CheckedInvariant[] {
  const all = files.flatMap(({ invariants }) => invariants);
  if (typeof which === "boolean") return which ? all : [];
  const unknown = which.filter((name) => !all.some((each) => each.name === name));
  if (unknown.length > 0)
    throw new UserError(`Launch attribute "invariants": ${noInvariant(unknown, all)}.`);
  return all.filter(({ name }) => which.includes(name));
}

/** A sentence without its full stop. */
export function noInvariant(names: readonly string[], all: readonly CheckedInvariant[]): string {
  const quoted = names.map((each) => `"${each}"`).join(", ");
  const known =
    all.length === 0 ? "none is checked" : `there are ${all.map(({ name }) => name).join(", ")}`;
  return `There is no invariant ${quoted}; ${known}`;
}
