// Random C expressions over the variables of the fixture program, in its function `run`.
import { type RandomBelow, randomBelow } from "../../harness/random.ts";

const INTEGERS = [
  ...["counter", "count", "total", "origin.x", "origin.y", "wide", "allowed", "moved.x", "moved.y"],
  ...["nodes[0].at.x", "nodes[1].at.y", "nodes[0].bits.level", "nodes[0].bits.frame"],
  ...["nodes[0].bits.tail", "local.bits.frame", "local.bits.level", "nodes[0].mixed.number"],
  ...["nodes[0].mixed.bytes[1]", "nodes[0].mixed.halves.high", "nodes[0].color", "nodes[1].color"],
  ...["+nodes[0].is_set", "nodes[0].grid[1][2]", "local.at.x", "local.name[1]", "local.tag[0]"],
  ...["names[1][0]", "*names[2]", "(*nodes[1].next).at.y", "nodes[1].next->name[2]", "local.color"],
  ...["*&counter", "nodes->at.x", "(&local)->at.y", "RED", "BLUE", "EXECUTE", "*local.tag"],
];
const LITERALS = [
  ...["0", "1", "-1", "7", "255", "'A'", "'\\n'", "2147483647", "2147483648", "4294967295"],
  ...["0x7f", "0x80000000", "0xffffffff", "0x100000000", "3u", "5l", "9ul", "11ull", "017"],
];
const FLOATS = ["ratio", "halves[0]", "halves[1]", "1.5", "-0.25", "2.0f", "1e3"];
const POINTERS = [
  ...["&nodes[1]", "nodes", "nodes[1].next", "(struct node *)0", "&nodes[0]", "&local"],
];
const TYPES = [
  ...["char", "signed char", "unsigned char", "short", "unsigned short", "int", "unsigned int"],
  ...["long", "unsigned long", "long long", "unsigned long long", "u8", "word", "unsigned"],
];

/** What can be assigned, with the type or mask that makes any number fit. */
const TARGETS: readonly (readonly [target: string, cut: (value: string) => string])[] = [
  ["counter", (value) => `(int)${value}`],
  ["local.at.y", (value) => `(int)${value}`],
  ["nodes[1].bits.level", (value) => `(${value} & 3)`],
  ["nodes[1].bits.frame", (value) => `(${value} & 0xffffffffffull)`],
  ["local.bits.tail", (value) => `(${value} & 0x7f)`],
  ["local.bits.present", (value) => `(${value} & 1)`],
  ["nodes[1].mixed.bytes[2]", (value) => `(u8)${value}`],
  ["nodes[0].mixed.halves.low", (value) => `(unsigned short)${value}`],
  ["nodes[1].grid[1][1]", (value) => `(int)${value}`],
  ["wide", (value) => `(unsigned long long)${value}`],
  ["total", (value) => `(long)${value}`],
  ["local.tag[1]", (value) => `(char)${value}`],
  ["nodes[1].is_set", (value) => `(${value} & 1)`],
  ["*&nodes[1].at.x", (value) => `(int)${value}`],
  ["cursor->at.x", (value) => `(int)${value}`],
];

export class RandomExpressions {
  private readonly below: RandomBelow;

  constructor(seed: number) {
    this.below = randomBelow(seed);
  }

  /** Of integer, floating or pointer type. */
  next(): string {
    const depth = 1 + this.below(4);
    const kind = this.below(10);
    if (kind === 0) return this.pointer(depth);
    return kind < 3 ? this.real(depth) : this.integer(depth);
  }

  /** An assignment whose value fits, plain or compound. */
  assignment(): string {
    switch (this.below(8)) {
      case 0:
        return `ratio = (double)(${this.real(2)})`;
      case 1:
        return `halves[${this.below(2)}] = (float)(${this.real(1)})`;
      case 2:
        return `cursor = ${this.pick(["&nodes[0]", "&nodes[1]", "nodes[1].next", "&local"])}`;
      case 3:
        return `nodes[1].color = ${this.pick(["BLUE", "RED", "GREEN"])}`;
      case 4:
        return `${this.pick(["counter", "total", "wide", "nodes[1].mixed.bytes[3]"])} ${this.pick(["+=", "-=", "*=", "|=", "^="])} ${this.integer(1)}`;
      default: {
        const [target, cut] = TARGETS[this.below(TARGETS.length)] as (typeof TARGETS)[number];
        return `${target} = ${cut(`(${this.integer(2)})`)}`;
      }
    }
  }

  private pick(from: readonly string[]): string {
    return from[this.below(from.length)] as string;
  }

  private integer(depth: number): string {
    if (depth === 0) return this.below(3) === 0 ? this.pick(LITERALS) : this.pick(INTEGERS);
    const a = () => this.integer(depth - 1);
    switch (this.below(14)) {
      case 0:
      case 1:
        return `(${a()} ${this.pick(["+", "-", "*"])} ${a()})`;
      case 2:
        return `(${a()} ${this.pick(["&", "|", "^"])} ${a()})`;
      case 3:
        return `(${a()} ${this.pick(["/", "%"])} ${this.pick(["3", "7u", "1000l", "-5", "0x10ul"])})`;
      case 4:
        return `(${a()} ${this.pick(["==", "!=", "<", "<=", ">", ">="])} ${a()})`;
      case 5:
        return `(${a()} ${this.pick(["&&", "||"])} ${a()})`;
      case 6:
        return `${this.pick(["~", "-", "!", "+"])}(${a()})`;
      case 7:
        return `((${this.pick(TYPES)})${this.pick(["", "-", "~"])}(${a()}))`;
      case 8:
        return `(${a()} ${this.pick(["<<", ">>"])} ${this.below(8)})`;
      case 9:
        // gdb's sizeof is an int.
        return `(int)${this.pick(["sizeof(struct node)", "sizeof(int)", "sizeof nodes", "sizeof(word *)"])}`;
      case 10:
        // gdb does not bring the two sides to one type.
        return `(${a()} ? (long)${a()} : (long)${a()})`;
      case 11:
        return `(${this.real(depth - 1)} ${this.pick(["<", ">", "==", "<="])} ${this.real(depth - 1)})`;
      case 12:
        return `(${this.pointer(depth - 1)} ${this.pick(["==", "<", ">="])} ${this.pointer(0)})`;
      default:
        return `(${this.pointer(0)} - ${this.pointer(0)})`;
    }
  }

  private real(depth: number): string {
    if (depth === 0) return this.pick(FLOATS);
    const [a, b] = [this.real(depth - 1), this.below(2) ? this.real(0) : this.integer(0)];
    switch (this.below(5)) {
      case 0:
        return `(double)(${this.integer(depth - 1)})`;
      case 1:
        return `-(${a})`;
      case 2:
        return `(float)(${a})`;
      default:
        return `(${a} ${this.pick(["+", "-", "*"])} ${b})`;
    }
  }

  private pointer(depth: number): string {
    if (depth === 0) return this.pick(POINTERS);
    const count = this.pick(["0", "1", "count", "-1", "2l", "(char)1"]);
    if (this.below(4) === 0) return `(char *)(${this.pointer(depth - 1)})`;
    return `((${this.pointer(depth - 1)}) ${this.pick(["+", "-"])} ${count})`;
  }
}
