/** The .inv files that are open, parsed and checked together whenever one of them changes. */
import {
  check,
  type ProgramNames,
  parse,
  type Reference,
  type Referent,
  type ResolvedFile,
} from "../language/index.ts";
import { BUILT_INS } from "../model/index.ts";
import { SHIPPED_INVARIANTS } from "../shipped.ts";

export interface Place {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

export class InvWorkspace {
  private readonly texts = new Map<string, string>();
  private program: ProgramNames | undefined;
  private checked: ReadonlyMap<string, ResolvedFile> | undefined;

  set(path: string, text: string): void {
    this.texts.set(path, text);
    this.checked = undefined;
  }

  remove(path: string): void {
    this.texts.delete(path);
    this.checked = undefined;
  }

  /** The names of the hypervisor's image. */
  setProgram(program: ProgramNames | undefined): void {
    this.program = program;
    this.checked = undefined;
  }

  get paths(): readonly string[] {
    return [...this.texts.keys()];
  }

  text(path: string): string {
    return this.texts.get(path) ?? "";
  }

  /** What is shipped counts unless the file itself is open: its definitions and names are there. */
  file(path: string): ResolvedFile | undefined {
    if (this.checked === undefined) {
      const open = [...this.texts].map(([name, text]) => ({ path: name, text }));
      const shipped = SHIPPED_INVARIANTS.filter(
        ({ text }) => !open.some((each) => each.text === text),
      );
      const isOpen = (name: string) => open.some((each) => each.path.endsWith(`/${name}`));
      const sources = [...shipped.filter((each) => !isOpen(each.path)), ...open].map((each) => ({
        path: each.path,
        ...parse(each.text),
      }));
      const files = check(sources, BUILT_INS, this.program);
      this.checked = new Map(files.map((each) => [each.path, each]));
    }
    return this.checked.get(path);
  }

  /** The name at an offset, and what it refers to. */
  referenceAt(path: string, offset: number): Reference | undefined {
    return this.file(path)?.references.find(({ start, end }) => start <= offset && offset <= end);
  }

  /** Where a referent is declared in an open file. */
  declarationOf(referent: Referent, path: string): Place | undefined {
    switch (referent.kind) {
      case "variable":
        return { path, start: referent.declared.start, end: referent.declared.end };
      case "definition":
      case "invariant":
        if (!this.texts.has(referent.path)) return undefined;
        return { path: referent.path, start: referent.declared.start, end: referent.declared.end };
      default:
        return undefined;
    }
  }

  /** Every place that refers to the same, in all open files; a variable's in its own. */
  placesOf(referent: Referent, path: string): Place[] {
    const paths = referent.kind === "variable" ? [path] : this.paths;
    return paths.flatMap((name) =>
      (this.file(name)?.references ?? [])
        .filter((each) => isSame(each.referent, referent))
        .map(({ start, end }) => ({ path: name, start, end })),
    );
  }
}

function isSame(a: Referent, b: Referent): boolean {
  if (a.kind === "variable" || b.kind === "variable") {
    return a.kind === "variable" && b.kind === "variable" && a.variable === b.variable;
  }
  if (a.kind === "field" && b.kind === "field") return a.record === b.record && a.name === b.name;
  return a.kind === b.kind && a.name === b.name;
}
