/** Breakpoints on events of the machine, as text: "vmexit:NPF", "io:0x3f8:w", "guest:exception:PF". */
import {
  EXCEPTIONS,
  EXITS,
  type ExceptionName,
  exitByName,
  msrByNumber,
  type Observer,
} from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import { msrByName } from "../names/plain-name.ts";
import type { World } from "../register-file.ts";
import { hex, parseInteger, UserError } from "../text.ts";
import type { Found, Hit, Mode, Trigger } from "./breakpoint.ts";
import type { Fields } from "./event-names.ts";

/** An event breakpoint as its text says it. */
export interface EventText {
  /** The text with all parts in one spelling. */
  readonly title: string;
  readonly found: Found;
}

type Access = "r" | "w" | "rw";

interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly access: Access;
}

/** What one form means: the events it listens to, for a text without its world and keyword. */
interface Form {
  readonly keyword: string;
  /** For the message that lists the forms. */
  readonly shape: string;
  parse(rest: string, mode: Mode): Found;
}

const WORLDS: readonly World[] = ["guest", "host"];

function allows(mode: Mode, guest: boolean): boolean {
  return mode === "any" || (mode === "guest") === guest;
}

/** Arms an observer made for a `reach`. */
function triggerOf(
  observe: (debuggee: Debuggee, reach: (hit: Hit) => "stop" | undefined) => Observer["on"],
): Trigger {
  return {
    arm: (debuggee, reach) =>
      debuggee.machine.observe({ name: "breakpoint", on: observe(debuggee, reach) }),
  };
}

const worldName = (guest: boolean): World => (guest ? "guest" : "host");

function eventHit(description: string, fields: Fields, text?: string): Hit {
  const base = {
    reason: "function breakpoint",
    description: `Paused on ${description}`,
    fields,
  } as const;
  return text === undefined ? base : { ...base, text: (writer) => `${text} by ${writer}` };
}

/** The number, or a table's number of the name; undefined if neither. */
function numberOrName(text: string, byName: (name: string) => number | undefined) {
  return parseInteger(text) ?? numberOf(byName(text.trim().toUpperCase()));
}

const numberOf = (value: number | undefined): bigint | undefined =>
  value === undefined ? undefined : BigInt(value);

/** "FIRST", "FIRST-LAST", and ":r" or ":w" behind it. */
function parseRange(
  text: string,
  max: bigint,
  byName: (name: string) => number | undefined = () => undefined,
): Range | undefined {
  const found = /^([^:]*?)(?::(r|w|rw))?$/i.exec(text.trim());
  const [from, to, more] = (found?.[1] ?? "").split("-");
  const first = from === undefined ? undefined : numberOrName(from, byName);
  const last = to === undefined ? first : parseInteger(to);
  const fits = first !== undefined && last !== undefined && 0n <= first && first <= last;
  if (!fits || last > max || more !== undefined) return undefined;
  return { first, last, access: (found?.[2]?.toLowerCase() ?? "rw") as Access };
}

function wants({ first, last, access }: Range, at: bigint, size: number, write: boolean): boolean {
  if (access !== "rw" && (access === "w") !== write) return false;
  return at <= last && at + BigInt(size) > first;
}

const exceptionVector = (name: string): number | undefined => {
  const plain = name.replace(/^#/, "");
  return Object.hasOwn(EXCEPTIONS, plain) ? EXCEPTIONS[plain as ExceptionName].vector : undefined;
};

function vectorTest(text: string, byName: (name: string) => number | undefined) {
  if (text.trim() === "*") return () => true;
  const vector = numberOrName(text, byName);
  if (vector === undefined || vector < 0n || vector > 255n) return undefined;
  return (each: number) => BigInt(each) === vector;
}

/** Exceptions, or interrupts from outside, in a world. */
function deliveryTrigger(external: boolean, test: (vector: number) => boolean, mode: Mode) {
  return triggerOf((debuggee, reach) => ({
    exception: (event) => {
      const { vector, name, errorCode, address } = event;
      const guest = debuggee.machine.state.guestMode !== 0;
      if (event.external !== external || !test(vector) || !allows(mode, guest)) return undefined;
      const what = external
        ? `interrupt ${hex(vector)}`
        : name === undefined
          ? `exception ${vector}`
          : `#${name}`;
      const code = errorCode === undefined ? "" : ` with error code ${hex(errorCode)}`;
      const about = name === "PF" ? ` on ${hex(address)}` : "";
      const fields = {
        vector,
        name: name ?? "",
        errorCode: errorCode ?? 0,
        address,
        external,
        guest,
      };
      return reach(
        eventHit(`${what} in the ${worldName(guest)}`, fields, `${what}${code}${about}`),
      );
    },
  }));
}

function exitsOf(text: string): readonly string[] | undefined {
  const wanted = text
    .trim()
    .toUpperCase()
    .replace(/^VMEXIT_/, "");
  if (wanted === "" || wanted === "*" || wanted === "ANY") return ["*"];
  if (!/[*?]/.test(wanted)) return exitByName(wanted) === undefined ? undefined : [wanted];
  const pattern = new RegExp(
    `^${wanted
      .replace(/[^A-Z0-9_*?]/g, "")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
  );
  const names = EXITS.map(({ name }) => name).filter((name) => pattern.test(name));
  return names.length === 0 ? undefined : names;
}

function bad(problem: string): UserError {
  return new UserError(problem);
}

const FORMS: readonly Form[] = [
  {
    keyword: "vmexit",
    shape: "vmexit:NAME or vmexit:*",
    parse: (rest) => {
      const exits = exitsOf(rest);
      if (exits !== undefined) return { exits };
      throw bad(
        `There is no exit "${rest}"; examples are NPF, IOIO, MSR, CPUID, VMMCALL and EXCP_*.`,
      );
    },
  },
  {
    keyword: "vmrun",
    shape: "vmrun",
    parse: (rest) => {
      if (rest !== "") throw bad(`"vmrun" takes nothing behind it; there is "${rest}".`);
      return {
        trigger: triggerOf((debuggee, reach) => ({
          vmrun: ({ vmcb, rip }) => {
            const { guest } = debuggee.spaces;
            return reach({
              ...eventHit(
                `VMRUN of guest ${guest ?? 1}`,
                { vmcb, rip, guest: guest ?? 1 },
                `VMCB hpa:${hex(vmcb)}, run`,
              ),
              rip,
            });
          },
        })),
      };
    },
  },
  {
    keyword: "exception",
    shape: "exception:PF, exception:14 or exception:*",
    parse: (rest, mode) => {
      const test = vectorTest(rest, exceptionVector);
      if (test) return { trigger: deliveryTrigger(false, test, mode) };
      throw bad(
        `There is no exception "${rest}"; write a name such as PF or GP, a vector to 255, or *.`,
      );
    },
  },
  {
    keyword: "irq",
    shape: "irq:0x20 or irq:*",
    parse: (rest, mode) => {
      const test = vectorTest(rest, () => undefined);
      if (test) return { trigger: deliveryTrigger(true, test, mode) };
      throw bad(`"${rest}" is no interrupt vector; write a number to 255, or *.`);
    },
  },
  {
    keyword: "io",
    shape: "io:0x3f8[-0x3ff][:r|w]",
    parse: (rest, mode) => {
      const range = parseRange(rest, 0xffffn);
      if (range === undefined)
        throw bad(`"${rest}" is no I/O port; write 0x3f8, 0x3f8-0x3ff or 0x3f8:w.`);
      return {
        trigger: triggerOf((_, reach) => ({
          port: ({ port, size, write, value, guest }) => {
            if (!wants(range, BigInt(port), size, write) || !allows(mode, guest)) return undefined;
            const way = write ? "out to" : "in from";
            const fields = { port, size, write, value, guest };
            return reach(
              eventHit(`${way} port ${hex(port)}`, fields, `${hex(value)} ${way} ${hex(port)}`),
            );
          },
        })),
      };
    },
  },
  {
    keyword: "msr",
    shape: "msr:0xc0000080[:r|w] or msr:EFER",
    parse: (rest, mode) => {
      const range = parseRange(rest, 0xffff_ffffn, (name) => msrByName(name)?.number);
      if (range === undefined)
        throw bad(`"${rest}" is no MSR; write a number or a name such as EFER or LSTAR.`);
      return {
        trigger: triggerOf((_, reach) => ({
          msr: ({ index, write, value, guest }) => {
            if (!wants(range, BigInt(index), 1, write) || !allows(mode, guest)) return undefined;
            const name = msrByNumber(index)?.name ?? hex(index);
            const way = write ? "WRMSR" : "RDMSR";
            const fields = { msr: index, name, write, value, guest };
            return reach(eventHit(`${way} ${name}`, fields, `${name} = ${hex(value)}`));
          },
        })),
      };
    },
  },
  {
    keyword: "mmio",
    shape: "mmio:0xfee00000-0xfee00fff[:r|w]",
    parse: (rest, mode) => {
      const range = parseRange(rest, (1n << 52n) - 1n);
      if (range === undefined) {
        throw bad(
          `"${rest}" is no host-physical range; write 0xfee00000-0xfee00fff or 0xfee000b0:w.`,
        );
      }
      return {
        trigger: triggerOf((_, reach) => ({
          deviceMemory: ({ device, address, size, write, value, guest }) => {
            if (!wants(range, BigInt(address), size, write) || !allows(mode, guest))
              return undefined;
            const way = write ? "write to" : "read from";
            const fields = { device, address, size, write, value, guest };
            return reach(
              eventHit(
                `${way} ${device} at hpa:${hex(address)}`,
                fields,
                `${hex(value)}, ${way} ${device}`,
              ),
            );
          },
        })),
      };
    },
  },
];

export const EVENT_FORMS = FORMS.map(({ shape }) => shape);

const KEYWORDS = FORMS.map(({ keyword }) => keyword).join("|");
const GRAMMAR = new RegExp(
  `^(?:event\\s*:\\s*)?(?:(guest|host)\\s*:\\s*)?(${KEYWORDS})(?:\\s*:\\s*(.*))?$`,
  "is",
);

/** Whether the whole text is an event's keyword, which may be a function's name as well. */
export const isEventsName = (text: string): boolean =>
  FORMS.some(({ keyword }) => keyword === text.trim());

/**
 * The event that a text names; undefined where it begins as none does, so that it may be a
 * function's name. Throws a UserError where only the rest of it means nothing.
 */
export function parseEvent(text: string): EventText | undefined {
  const found = GRAMMAR.exec(text.trim());
  const form = FORMS.find(({ keyword }) => keyword === found?.[2]?.toLowerCase());
  if (!found || form === undefined) {
    const world = /^\s*(guest|host|event)\s*:/i.test(text);
    if (world) throw unknownEvent(text);
    return undefined;
  }
  const mode: Mode = WORLDS.find((world) => world === found[1]?.toLowerCase()) ?? "any";
  const rest = (found[3] ?? "").trim();
  if (rest === "" && !["vmrun", "vmexit"].includes(form.keyword)) {
    throw bad(`"${text.trim()}" does not say which; write ${form.shape}.`);
  }
  const title = [...(mode === "any" ? [] : [mode]), form.keyword, ...(rest ? [rest] : [])].join(
    ":",
  );
  return { title, found: form.parse(rest, mode) };
}

export function unknownEvent(text: string): UserError {
  return new UserError(
    `There is no event "${text}"; write ${EVENT_FORMS.join(", ")}, after "guest:" or "host:" for one world only.`,
  );
}
