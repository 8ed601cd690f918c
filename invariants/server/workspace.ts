/** The .inv files that belong together, parsed and checked whenever one of them changes. */
import {
  check,
  type Item,
  type Parsed,
  type ProgramNames,
  parse,
  type Reference,
  type Referent,
  type ResolvedFile,
  type Span,
} from "../language/index.ts";
import { BUILT_INS } from "../model/index.ts";
import { SHIPPED_INVARIANTS } from "../shipped.ts";

/** The files that are not open. Paths are absolute, with "/" between their parts. */
export interface Disk {
  /** Paths of the .inv files in a folder. */
  invariantFiles(folder: string): readonly string[];
  /** Undefined where it cannot be read. */
  read(path: string): string | undefined;
}

export interface Place extends Span {
  readonly path: string;
}

/** Files of one folder, and what is shipped. */
interface Group {
  readonly texts: ReadonlyMap<string, string>;
  readonly files: ReadonlyMap<string, ResolvedFile>;
}

/**
 * The files of a folder belong together, open or not, and with them what is shipped, unless a file of
 * the folder has its name. A file without a folder, as one that is not saved yet, stands alone.
 */
export class InvWorkspace {
  private readonly disk: Disk;
  private readonly open = new Map<string, string>();
  private readonly groups = new Map<string, Group>();
  /** Texts of the disk's files, by folder. */
  private readonly saved = new Map<string, ReadonlyMap<string, string>>();
  private readonly parses = new Map<string, { readonly text: string; readonly parsed: Parsed }>();
  private namesIn: (folder: string) => ProgramNames | undefined = () => undefined;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  /** Its text is this from now on, whatever the disk has. */
  set(path: string, text: string): void {
    this.open.set(path, text);
    this.groups.delete(folderOf(path));
  }

  /** The disk has its text again. */
  remove(path: string): void {
    this.open.delete(path);
    this.diskChanged();
  }

  /** Files are read again when they are next asked for. */
  diskChanged(): void {
    this.saved.clear();
    this.groups.clear();
  }

  /** The names of the hypervisor's image that a file is about. */
  programOf(path: string): ProgramNames | undefined {
    return this.namesIn(folderOf(path));
  }

  /** Which image the files of a folder are about, from now on. */
  setPrograms(namesIn: (folder: string) => ProgramNames | undefined): void {
    this.namesIn = namesIn;
    this.groups.clear();
  }

  /** Files that are open and those that belong to them; what is shipped only where it is open. */
  get paths(): readonly string[] {
    const all = [...this.open.keys()].flatMap((path) => [...this.group(path).texts.keys()]);
    return [...new Set(all)].filter((path) => !isShipped(path) || this.open.has(path));
  }

  text(path: string): string {
    return this.open.get(path) ?? this.group(path).texts.get(path) ?? "";
  }

  /** Undefined for a file that is not there. */
  file(path: string): ResolvedFile | undefined {
    return this.group(path).files.get(path);
  }

  /** The name at an offset, and what it refers to. */
  referenceAt(path: string, offset: number): Reference | undefined {
    return this.file(path)?.references.find(({ start, end }) => start <= offset && offset <= end);
  }

  /** Where a referent is declared in .inv files. */
  declarationOf(referent: Referent, path: string): Place | undefined {
    switch (referent.kind) {
      case "variable":
        return { path, start: referent.declared.start, end: referent.declared.end };
      case "definition":
      case "invariant":
        return { path: referent.path, start: referent.declared.start, end: referent.declared.end };
      default:
        return undefined;
    }
  }

  /** The definition or invariant that a name stands for, as it is written. */
  itemOf(referent: Referent): Exclude<Item, { kind: "memory" }> | undefined {
    if (referent.kind !== "definition" && referent.kind !== "invariant") return undefined;
    const { start } = referent.declared;
    for (const item of this.parsed(referent.path).file.items) {
      if (item.kind !== "memory" && item.name.start === start) return item;
    }
    return undefined;
  }

  /** As its text is now. */
  parsed(path: string, text = this.text(path)): Parsed {
    const known = this.parses.get(path);
    if (known?.text === text) return known.parsed;
    const parsed = parse(text);
    this.parses.set(path, { text, parsed });
    return parsed;
  }

  /** Every place that refers to the same, in all files that belong together; a variable's in its own. */
  placesOf(referent: Referent, path: string): Place[] {
    const { files } = this.group(path);
    const paths = referent.kind === "variable" ? [path] : [...files.keys()];
    return paths.flatMap((name) =>
      (files.get(name)?.references ?? [])
        .filter((each) => isSame(each.referent, referent))
        .map(({ start, end }) => ({ path: name, start, end })),
    );
  }

  /** What the files of a group would say with other texts for some of them. */
  checkedWith(path: string, changed: ReadonlyMap<string, string>): readonly ResolvedFile[] {
    return this.check(folderOf(path), new Map([...this.group(path).texts, ...changed]));
  }

  /** As they are, in the same order. */
  checked(path: string): readonly ResolvedFile[] {
    return [...this.group(path).files.values()];
  }

  private group(path: string): Group {
    const folder = folderOf(path);
    const known = this.groups.get(folder);
    if (known !== undefined) return known;
    const texts = this.textsOf(folder);
    const files = new Map(this.check(folder, texts).map((each) => [each.path, each]));
    const group = { texts, files };
    this.groups.set(folder, group);
    return group;
  }

  private textsOf(folder: string): Map<string, string> {
    const own = new Map<string, string>();
    const saved = this.savedIn(folder);
    const here = [...this.open.keys()].filter((path) => folderOf(path) === folder);
    for (const path of [...new Set([...saved.keys(), ...here])].sort()) {
      own.set(path, this.open.get(path) ?? saved.get(path) ?? "");
    }
    const isHere = (name: string) => own.has(name) || own.has(`${folder}/${name}`);
    const shipped = SHIPPED_INVARIANTS.filter((each) => !isHere(each.path));
    return new Map([...shipped.map(({ path, text }) => [path, text] as const), ...own]);
  }

  private savedIn(folder: string): ReadonlyMap<string, string> {
    const known = this.saved.get(folder);
    if (known !== undefined) return known;
    const texts = new Map<string, string>();
    for (const path of folder.startsWith("/") ? this.disk.invariantFiles(folder) : []) {
      const text = this.disk.read(path);
      if (text !== undefined) texts.set(path, text);
    }
    this.saved.set(folder, texts);
    return texts;
  }

  private check(folder: string, texts: ReadonlyMap<string, string>): ResolvedFile[] {
    const sources = [...texts].map(([path, text]) => ({ path, ...this.parsed(path, text) }));
    return check(sources, BUILT_INS, this.namesIn(folder));
  }
}

export const isShipped = (path: string): boolean =>
  SHIPPED_INVARIANTS.some((each) => each.path === path);

/** All that is shipped has one folder; a path without one is its own. */
export function folderOf(path: string): string {
  if (isShipped(path)) return "";
  return path.startsWith("/") ? path.slice(0, path.lastIndexOf("/")) : path;
}

/** Whether both stand for one thing: of the program's records, those of one name are one. */
function isSame(a: Referent, b: Referent): boolean {
  if (a.kind === "variable" || b.kind === "variable") {
    return a.kind === "variable" && b.kind === "variable" && a.variable === b.variable;
  }
  if (a.kind === "field" && b.kind === "field") return a.record === b.record && a.name === b.name;
  if (a.kind === "member" && b.kind === "member") {
    const isOne = a.record === b.record || (a.record.name ?? "a") === (b.record.name ?? "b");
    return isOne && a.name === b.name;
  }
  if (a.kind === "argument" && b.kind === "argument" && a.function !== b.function) return false;
  return a.kind === b.kind && a.name === b.name;
}
