/** Trees for the variables view, and the handles by which the client asks for their branches. */
import type { ShowNumber } from "./format.ts";
import type { SourceLine } from "./protocol.ts";
import type { ValuePlace } from "./value-place.ts";

export interface VariableNode {
  readonly name: string;
  readonly value: string;
  readonly type?: string;
  readonly memoryReference?: string;
  /** What to write in a watch for this value. */
  readonly evaluateName?: string;
  readonly children?: Children;
  /** Where the value lives: what a data breakpoint on it watches. */
  readonly place?: ValuePlace;
  /** A constant of the machine, and not only of this stop. */
  readonly isConstant?: boolean;
  /** Where its declaration is, and what its value points at, in the program's source. */
  readonly declaration?: SourceLine;
  readonly target?: SourceLine;
  /** Sets it from the user's text and returns the new value; throws a UserError. */
  readonly set?: (text: string) => string;
}

export interface Children {
  /** Number of indexed children, for paging; undefined for named ones. */
  readonly indexed?: number;
  /** Indexed children from `start`, at most `count`; named ones are all listed. */
  list(start: number, count: number, show: ShowNumber): readonly VariableNode[];
}

export const branch = (list: (show: ShowNumber) => readonly VariableNode[]): Children => ({
  list: (_start, _count, show) => list(show),
});

/** References are good until the machine runs again. */
export class VariableHandles {
  private readonly children = new Map<number, Children>();
  private readonly lines = new Map<number, SourceLine>();
  private next = 1;

  clear(): void {
    this.children.clear();
    this.lines.clear();
  }

  /** 0 for nothing to expand. */
  add(children: Children | undefined): number {
    if (children === undefined) return 0;
    const reference = this.next++;
    this.children.set(reference, children);
    return reference;
  }

  get(reference: number): Children | undefined {
    return this.children.get(reference);
  }

  addLine(line: SourceLine): number {
    const reference = this.next++;
    this.lines.set(reference, line);
    return reference;
  }

  line(reference: number): SourceLine | undefined {
    return this.lines.get(reference);
  }
}
