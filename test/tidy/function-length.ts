/** Finds long functions by their indentation, which the formatter keeps honest. */

export interface LongFunction {
  /** From 1. */
  readonly line: number;
  readonly lines: number;
  /** The line that it starts with. */
  readonly start: string;
}

const TYPESCRIPT_START = [
  /^\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?function\b/,
  /^\s*(?:export\s+)?const\s+\w+(?::[^=]+)?\s*=\s*(?:async\s*)?\(.*(?:=>\s*\{|\()$/,
  /^\s+(?:(?:private|public|protected|static|override|async|get|set)\s+)*(?!(?:if|for|while|switch|catch|describe|test|it|expect|return|new|await)\b)[#\w]+(?:<[^>]*>)?\(.*(?:\{|\()$/,
];
const C_START = [/^(?!(?:struct|enum|union|typedef|#|extern)\b)[a-z_].*\)\s*$/];

/** A function runs from its first line to the next `}` at the same indentation. */
export function longFunctions(file: string, text: string, limit: number): LongFunction[] {
  const starts = /\.(?:ts|mjs)$/.test(file) ? TYPESCRIPT_START : file.endsWith(".c") ? C_START : [];
  const lines = text.split("\n");
  const found: LongFunction[] = [];
  for (const [index, start] of lines.entries()) {
    if (!starts.some((pattern) => pattern.test(start))) continue;
    const length = functionLength(lines, index);
    if (length > limit) found.push({ line: index + 1, lines: length, start: start.trim() });
  }
  return found;
}

function functionLength(lines: readonly string[], first: number): number {
  const indentation = /^\s*/.exec(lines[first]!)![0];
  for (let at = first + 1; at < lines.length; at++) {
    const line = lines[at]!;
    const sameDepth = line.startsWith(indentation) && !/^\s/.test(line.slice(indentation.length));
    if (sameDepth && line[indentation.length] === "}" && !line.endsWith("{")) return at - first + 1;
    // A call, or a declaration without a body.
    if (sameDepth && /^\)?.*;$/.test(line.slice(indentation.length))) return 0;
  }
  return 0;
}
