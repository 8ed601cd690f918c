/** The names of an .inv file by what they stand for, as semantic tokens: words and numbers the grammar colours. */
import type { SemanticTokensLegend } from "vscode-languageserver";
import type { Reference, Referent, ResolvedFile, Span } from "../language/index.ts";

/** A kind of token and what more is said of it; both are names of the protocol's own. */
type Style = readonly [type: string, ...modifiers: string[]];

const BUILT_IN = "defaultLibrary";
/** Of the hypervisor's own names: they live as long as its program. */
const OF_PROGRAM = "static";

const STYLES: { readonly [K in Referent["kind"]]: Style } = {
  global: ["variable", BUILT_IN, "readonly"],
  field: ["property", BUILT_IN, "readonly"],
  function: ["function", BUILT_IN],
  constant: ["enumMember", BUILT_IN],
  exit: ["enumMember", BUILT_IN],
  msr: ["enumMember", BUILT_IN],
  exception: ["enumMember", BUILT_IN],
  event: ["event", BUILT_IN],
  type: ["type"],
  definition: ["function"],
  invariant: ["class"],
  variable: ["variable"],
  symbol: ["variable", OF_PROGRAM],
  argument: ["parameter", OF_PROGRAM],
  member: ["property", OF_PROGRAM],
  enumerator: ["enumMember", OF_PROGRAM],
};
const OF_FUNCTION: Style = ["function", OF_PROGRAM];
const DECLARATION = "declaration";

const styles = [...Object.values(STYLES), OF_FUNCTION];
export const LEGEND: SemanticTokensLegend = {
  tokenTypes: [...new Set(styles.map(([type]) => type))],
  tokenModifiers: [DECLARATION, ...new Set(styles.flatMap(([, ...modifiers]) => modifiers))],
};

export interface Token extends Span {
  /** Numbers of the legend. */
  readonly type: number;
  readonly modifiers: number;
}

/** In the order of their places, none within another. */
export function tokensOf({ references }: ResolvedFile): Token[] {
  const sorted = [...references].sort((a, b) => a.start - b.start || b.end - a.end);
  const tokens: Token[] = [];
  for (const reference of sorted) {
    const { start, end } = reference;
    if (start < (tokens.at(-1)?.end ?? 0)) continue;
    const [type, ...modifiers] = styleOf(reference);
    const bits = modifiers.map((each) => 1 << LEGEND.tokenModifiers.indexOf(each));
    const modified = bits.reduce((all, bit) => all | bit, 0);
    tokens.push({ start, end, type: LEGEND.tokenTypes.indexOf(type), modifiers: modified });
  }
  return tokens;
}

function styleOf({ referent, start }: Reference): Style {
  const style =
    referent.kind === "symbol" && referent.of === "function" ? OF_FUNCTION : STYLES[referent.kind];
  const isDeclared = "declared" in referent && referent.declared.start === start;
  return isDeclared ? [...style, DECLARATION] : style;
}
