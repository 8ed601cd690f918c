/** Conditions, hit counts and log messages of breakpoints. */
import { type Compiled, compile, isTrue, type Names } from "../expression/evaluate.ts";
import { parse } from "../expression/parser.ts";
import { formatTerm } from "../format.ts";
import { messageOf, UserError } from "../text.ts";

export interface OptionTexts {
  readonly condition?: string | undefined;
  readonly hitCondition?: string | undefined;
  readonly logMessage?: string | undefined;
}

type HitTest = (hits: number) => boolean;
type LogPart = { readonly text: string } | { readonly value: Compiled };

/** What a breakpoint does when its place is reached. */
export type Outcome =
  | { readonly kind: "ignore" }
  | { readonly kind: "log"; readonly text: string }
  /** `problem`: the condition could not be evaluated, which stops too. */
  | { readonly kind: "stop"; readonly problem?: string };

/** Throws a UserError that names what does not parse and where. */
export class BreakpointOptions {
  private readonly condition: Compiled | undefined;
  private readonly hitTest: HitTest | undefined;
  private readonly log: readonly LogPart[] | undefined;
  hits = 0;

  constructor(texts: OptionTexts) {
    const { condition, hitCondition, logMessage } = texts;
    this.condition = isBlank(condition) ? undefined : parsed(condition, "condition");
    this.hitTest = isBlank(hitCondition) ? undefined : parseHitCondition(hitCondition);
    this.log = isBlank(logMessage) ? undefined : parseLogMessage(logMessage);
  }

  /** Whether it would stop, of what its hits do not decide: nothing is counted or logged. */
  meets(names: () => Names): boolean {
    if (this.log !== undefined) return false;
    try {
      return this.condition === undefined || isTrue(this.condition(names()));
    } catch {
      return true;
    }
  }

  /** Counts the hit where the condition holds. */
  reach(names: () => Names): Outcome {
    try {
      if (this.condition && !isTrue(this.condition(names()))) return { kind: "ignore" };
      this.hits++;
      if (this.hitTest && !this.hitTest(this.hits)) return { kind: "ignore" };
      if (this.log === undefined) return { kind: "stop" };
    } catch (caught) {
      return { kind: "stop", problem: `its condition failed: ${messageOf(caught)}` };
    }
    return { kind: "log", text: this.log.map((part) => logText(part, names())).join("") };
  }
}

function isBlank(text: string | undefined): text is undefined {
  return text === undefined || text.trim() === "";
}

function parsed(text: string, what: string): Compiled {
  try {
    return compile(parse(text));
  } catch (caught) {
    throw new UserError(`The ${what} "${text}" does not parse: ${messageOf(caught)}.`);
  }
}

/** "5" the fifth time only, "% 10" each tenth, and ==, !=, <, <=, >, >= with a number. */
function parseHitCondition(text: string): HitTest {
  const found = /^\s*(==|=|!=|<=|<|>=|>|%)?\s*([0-9]+)\s*$/.exec(text);
  if (!found) {
    throw new UserError(
      `The hit count "${text}" does not parse; write a number, or one after ==, !=, <, <=, >, >= or %.`,
    );
  }
  const count = Number(found[2]);
  switch (found[1]) {
    case "!=":
      return (hits) => hits !== count;
    case "<":
      return (hits) => hits < count;
    case "<=":
      return (hits) => hits <= count;
    case ">":
      return (hits) => hits > count;
    case ">=":
      return (hits) => hits >= count;
    case "%":
      return (hits) => count > 0 && hits % count === 0;
    default:
      return (hits) => hits === count;
  }
}

/** Text with {expressions}. */
function parseLogMessage(text: string): LogPart[] {
  const parts: LogPart[] = [];
  let rest = text;
  for (;;) {
    const found = /\{([^{}]*)\}/.exec(rest);
    if (!found) break;
    parts.push({ text: rest.slice(0, found.index) });
    parts.push({ value: parsed(found[1] ?? "", "log expression") });
    rest = rest.slice(found.index + found[0].length);
  }
  parts.push({ text: rest });
  return parts;
}

function logText(part: LogPart, names: Names): string {
  if ("text" in part) return part.text;
  try {
    return formatTerm(part.value(names));
  } catch (caught) {
    return `<${messageOf(caught)}>`;
  }
}
