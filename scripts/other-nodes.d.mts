// Types of other-nodes.mjs, for the tests.

export interface OtherNode {
  readonly version: string;
  /** The program. */
  readonly path: string;
}

export function otherNodes(): OtherNode[];
