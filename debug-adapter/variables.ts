/** Trees for the variables view, and the handles by which the client asks for their branches. */
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
  /** Sets it from the user's text and returns the new value; throws a UserError. */
  readonly set?: (text: string) => string;
}

export interface Children {
  /** Number of indexed children, for paging; undefined for named ones. */
  readonly indexed?: number;
  list(start: number, count: number): readonly VariableNode[];
}

export const branch = (list: () => readonly VariableNode[]): Children => ({ list });

/** References are good until the machine runs again. */
export class VariableHandles {
  private readonly children = new Map<number, Children>();
  private next = 1;

  clear(): void {
    this.children.clear();
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
}
