/** Interrupt delivery in real, protected and virtual-8086 mode (APM volume 2, sections 8.6 to 8.8). */
import type { Segment } from "../state/cpu-state.ts";
import { flagMask, getRflags, setRflags } from "../state/flags.ts";
import type { Vcpu } from "../vcpu.ts";
import { assignSegment, SystemType, selectorCode } from "./descriptors.ts";
import { type DeliveredEvent, externalBit } from "./event.ts";
import { GuestFault } from "./exceptions.ts";
import { type Gate, idtCode, readIdtGate } from "./gates.ts";
import {
  checkGate,
  enterHandlerFlags,
  type HandlerSegment,
  handlerSegment,
  pushedFlags,
} from "./handler-segment.ts";
import { isVirtual8086 } from "./mode.ts";
import { checkStackSegment, nullSegment, segmentFromDescriptor } from "./segments.ts";
import { currentStack, StackCursor } from "./stack.ts";
import { interceptTaskSwitch, type TaskSwitch } from "./task-switch.ts";
import { legacyInnerStack } from "./tss.ts";

/** Thrown for a task gate: the CPU stops instead of going on wrongly. */
export class TaskGate {
  constructor(task: TaskSwitch) {
    this.task = task;
  }
  readonly task: TaskSwitch;
}

const REAL_CLEARED = flagMask("IF") | flagMask("TF") | flagMask("RF") | flagMask("AC");

/** Real mode: four bytes a vector, three words pushed, never an error code. */
export function deliverReal(cpu: Vcpu, event: DeliveredEvent): void {
  const { state } = cpu;
  const external = externalBit(event);
  const entry = event.vector * 4;
  if (entry + 3 > state.idtr.limit) throw new GuestFault("GP", idtCode(event.vector, external));
  const address = BigInt.asUintN(32, state.idtr.base + BigInt(entry));
  const vector = Number(cpu.mmu.read(address, 4, "system"));
  const stack = new StackCursor(cpu, currentStack(state, external));
  stack.push(pushedFlags(cpu, event), 2);
  stack.push(BigInt(state.cs.selector), 2);
  stack.push(state.rip + BigInt(event.skip), 2);

  const selector = vector >>> 16;
  state.cs.selector = selector;
  state.cs.base = BigInt(selector << 4);
  state.rsp = stack.rsp;
  state.rip = BigInt(vector & 0xffff);
  setRflags(state, getRflags(state) & ~REAL_CLEARED);
}

/** Where the frame goes when the handler runs at an inner level. */
function innerStack(cpu: Vcpu, cpl: number, external: number): { ss: Segment; esp: bigint } {
  const { selector, esp } = legacyInnerStack(cpu, cpl, external);
  return { ss: checkStackSegment(cpu, selector, cpl, "TS", external), esp };
}

/** The data segments of virtual-8086 mode, in the order of the frame. */
const VIRTUAL_8086_SEGMENTS = ["gs", "fs", "ds", "es"] as const;

function pushFrame(cpu: Vcpu, event: DeliveredEvent, stack: StackCursor, plan: Plan): void {
  const { state } = cpu;
  const { size, inner, fromVirtual8086 } = plan;
  if (fromVirtual8086) {
    for (const name of VIRTUAL_8086_SEGMENTS) stack.push(BigInt(state[name].selector), size);
  }
  if (inner) {
    stack.push(BigInt(state.ss.selector), size);
    stack.push(state.rsp, size);
  }
  stack.push(pushedFlags(cpu, event), size);
  stack.push(BigInt(state.cs.selector), size);
  stack.push(state.rip + BigInt(event.skip), size);
  if (event.errorCode !== undefined) stack.push(BigInt(event.errorCode), size);
}

interface Plan {
  readonly size: 2 | 4;
  readonly inner: boolean;
  readonly fromVirtual8086: boolean;
}

function planFor(cpu: Vcpu, gate: Gate, handler: HandlerSegment, external: number): Plan {
  const fromVirtual8086 = isVirtual8086(cpu.state);
  if (fromVirtual8086 && handler.cpl !== 0) {
    throw new GuestFault("GP", selectorCode(gate.selector, external));
  }
  const wide = gate.type === SystemType.interruptGate || gate.type === SystemType.trapGate;
  return { size: wide ? 4 : 2, inner: handler.cpl !== cpu.state.cpl, fromVirtual8086 };
}

/** Protected mode and virtual-8086 mode: 16- and 32-bit gates. Task gates are not implemented. */
export function deliverLegacy(cpu: Vcpu, event: DeliveredEvent): void {
  const { state } = cpu;
  const external = externalBit(event);
  const gate = readIdtGate(cpu, event.vector, external);
  checkGate(cpu, gate, event, external);
  if (gate.type === SystemType.taskGate) {
    const { errorCode } = event;
    const task = { selector: gate.selector, cause: "interrupt", errorCode } as const;
    interceptTaskSwitch(cpu, task);
    throw new TaskGate(task);
  }
  const handler = handlerSegment(cpu, gate.selector, external);
  const plan = planFor(cpu, gate, handler, external);
  if (gate.offset > BigInt(handler.descriptor.limit)) throw new GuestFault("GP", external);

  const next = plan.inner ? innerStack(cpu, handler.cpl, external) : undefined;
  const place =
    next === undefined
      ? currentStack(state, external)
      : {
          ss: next.ss,
          rsp: next.esp,
          flat: false,
          cpl: handler.cpl,
          faultCode: selectorCode(next.ss.selector, external),
        };
  const stack = new StackCursor(cpu, place);
  pushFrame(cpu, event, stack, plan);
  const selector = (gate.selector & 0xfffc) | handler.cpl;
  const cs = segmentFromDescriptor(cpu, selector, handler.descriptor);

  assignSegment(state.cs, cs);
  if (next !== undefined) assignSegment(state.ss, next.ss);
  if (plan.fromVirtual8086) {
    for (const name of VIRTUAL_8086_SEGMENTS)
      assignSegment(state[name], nullSegment(state[name], 0));
  }
  state.cpl = handler.cpl;
  state.rsp = stack.rsp;
  state.rip = gate.offset;
  enterHandlerFlags(cpu, gate);
}
