/** Where invariants are written in the text of an .inv file. */

export interface InvariantPlace {
  readonly name: string;
  /** From 0. */
  readonly line: number;
}

const HEAD = /^[ \t]*invariant[ \t]+(\w+)/;

export function invariantsIn(text: string): InvariantPlace[] {
  return text.split("\n").flatMap((content, line) => {
    const name = HEAD.exec(content)?.[1];
    return name === undefined ? [] : [{ name, line }];
  });
}

/** The one that a line belongs to: the last that begins there or before. */
export function invariantAt(text: string, line: number): string | undefined {
  return invariantsIn(text).findLast((place) => place.line <= line)?.name;
}
