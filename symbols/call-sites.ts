// What a register held when a function was entered, by what its caller says of the call.
import { At, Tag } from "./dwarf/constants.ts";
import type { Entry } from "./dwarf/entry.ts";
import { evaluate } from "./dwarf/expression.ts";
import { asExpression } from "./dwarf/forms.ts";
import { type FrameState, fromBytes } from "./location.ts";
import type { ScopeIndex } from "./scopes.ts";
import type { Unwinder } from "./unwind.ts";
import { contextOf, type VariableScope } from "./variable.ts";

const MAX_DEPTH = 8;
const MAX_TAIL_CALLS = 64;

const isCallSite = ({ tag }: Entry) => tag === Tag.callSite || tag === Tag.gnuCallSite;

const isParameter = ({ tag }: Entry) =>
  tag === Tag.callSiteParameter || tag === Tag.gnuCallSiteParameter;

/** Call sites of one program (DWARF 5 section 3.4, and their GNU forerunners in DWARF 4). */
export class CallSites {
  private readonly scopes: ScopeIndex;
  private readonly unwinder: () => Unwinder;
  private readonly scopeAt: (pc: bigint, concrete: Entry) => VariableScope;
  private depth = 0;

  constructor(
    scopes: ScopeIndex,
    unwinder: () => Unwinder,
    scopeAt: (pc: bigint, concrete: Entry) => VariableScope,
  ) {
    this.scopes = scopes;
    this.unwinder = unwinder;
    this.scopeAt = scopeAt;
  }

  /**
   * The register's value at the entry of `callee`, the concrete function of the frame at `pc`.
   * Undefined where the caller does not say it, or where tail calls may have come in between.
   */
  valueAtEntry(register: number, pc: bigint, callee: Entry, state: FrameState): bigint | undefined {
    if (this.depth >= MAX_DEPTH) return undefined;
    this.depth++;
    try {
      return this.find(register, pc, callee, state);
    } finally {
      this.depth--;
    }
  }

  private find(register: number, pc: bigint, callee: Entry, state: FrameState) {
    const up = this.unwinder().unwind(pc, state);
    if (up.kind !== "caller" || up.isSignalFrame) return undefined;
    const slide = state.slide ?? 0n;
    const returnPc = up.pc - slide;
    const caller = this.scopes.functionAt(returnPc - 1n)?.entry;
    const site = caller && callSiteReturningTo(caller, returnPc);
    if (!caller || !site || !isCallOf(site, callee) || this.maySelfTailCall(callee)) {
      return undefined;
    }
    const value = site.children.filter(isParameter).find(isIn(register))?.get(valueAttribute(site));
    const expression = asExpression(value);
    if (!expression) return undefined;
    const scope = this.scopeAt(returnPc - 1n, caller);
    const found = evaluate(expression, contextOf(site, scope, { ...up.state, slide }));
    // The value is what the expression leaves on the stack: no place in memory is meant.
    if (found.kind === "memory") return found.address;
    return found.kind === "value" ? fromBytes(found.bytes) : undefined;
  }

  /** Whether a chain of tail calls may lead from the function to itself: its entry is then unknown. */
  private maySelfTailCall(callee: Entry): boolean {
    const reached = new Set<Entry>([callee]);
    for (const from of reached) {
      for (const site of callSitesIn(from)) {
        if (!site.flag(At.callTailCall) && !site.flag(At.gnuTailCall)) continue;
        const target = originOf(site);
        if (!target || isSame(target, callee) || reached.size > MAX_TAIL_CALLS) return true;
        const concrete = this.concreteOf(target);
        if (!concrete) return true;
        reached.add(concrete);
      }
    }
    return false;
  }

  private concreteOf(target: Entry): Entry | undefined {
    const { name } = target;
    if (name === undefined) return undefined;
    const all = this.scopes.functionsNamed(name).filter(({ tag }) => tag === Tag.subprogram);
    return all.length === 1 ? all[0] : undefined;
  }
}

function* callSitesIn(scope: Entry): Generator<Entry> {
  const pending: Entry[] = [scope];
  for (let entry = pending.pop(); entry; entry = pending.pop()) {
    if (isCallSite(entry)) yield entry;
    else pending.push(...entry.children);
  }
}

/** GNU's extension gives the return address as the entry's own address. */
function callSiteReturningTo(caller: Entry, returnPc: bigint): Entry | undefined {
  for (const site of callSitesIn(caller)) {
    const attribute = site.tag === Tag.callSite ? At.callReturnPc : At.lowPc;
    if (site.unit.address(site.get(attribute)) === returnPc) return site;
  }
  return undefined;
}

const originOf = (site: Entry) =>
  site.target(site.tag === Tag.callSite ? At.callOrigin : At.abstractOrigin);

const valueAttribute = (site: Entry) =>
  site.tag === Tag.callSite ? At.callValue : At.gnuCallSiteValue;

function isCallOf(site: Entry, callee: Entry): boolean {
  const target = originOf(site);
  return target !== undefined && isSame(target, callee);
}

/** Whether a declaration or abstract function and a concrete one are the same function. */
function isSame(target: Entry, concrete: Entry): boolean {
  for (const each of concrete.origins()) {
    if (each === target) return true;
    for (const other of target.origins()) if (other === each) return true;
  }
  // Of another unit's external function there is only a declaration.
  return (
    target.flag(At.declaration) &&
    target.inherited(At.external) !== undefined &&
    concrete.inherited(At.external) !== undefined &&
    target.name === concrete.name
  );
}

/** Whether a parameter is passed in the register: its location is DW_OP_reg<n> alone. */
function isIn(register: number) {
  return (parameter: Entry): boolean => {
    const location = asExpression(parameter.get(At.location));
    return location?.length === 1 && location[0] === 0x50 + register;
  };
}
