/** Interrupt delivery in long mode: 64-bit gates, IST, five or six pushed quadwords (APM volume 2, section 8.9). */
import type { Vcpu } from "../vcpu.ts";
import { assignSegment } from "./descriptors.ts";
import { type DeliveredEvent, externalBit } from "./event.ts";
import { GuestFault } from "./exceptions.ts";
import { readIdtGate } from "./gates.ts";
import { checkGate, enterHandlerFlags, handlerSegment, pushedFlags } from "./handler-segment.ts";
import { isCanonical } from "./mode.ts";
import { nullStackSegment, segmentFromDescriptor } from "./segments.ts";
import { StackCursor } from "./stack.ts";
import { longInnerStack } from "./tss.ts";

/** Delivers once; throws GuestFault or InterceptExit with the registers as they were. */
export function deliverLong(cpu: Vcpu, event: DeliveredEvent): void {
  const { state } = cpu;
  const external = externalBit(event);
  const gate = readIdtGate(cpu, event.vector, external);
  checkGate(cpu, gate, event, external);
  const handler = handlerSegment(cpu, gate.selector, external);
  const inner = handler.cpl !== state.cpl;
  const switches = inner || gate.ist !== 0;
  const top = switches ? longInnerStack(cpu, handler.cpl, gate.ist, external) : state.rsp;
  if (!isCanonical(gate.offset)) throw new GuestFault("GP", external);

  const stack = new StackCursor(cpu, {
    ss: state.ss,
    rsp: top & ~0xfn,
    flat: true,
    cpl: handler.cpl,
    faultCode: external,
  });
  stack.push(BigInt(state.ss.selector), 8);
  stack.push(state.rsp, 8);
  stack.push(pushedFlags(cpu, event), 8);
  stack.push(BigInt(state.cs.selector), 8);
  stack.push(state.rip + BigInt(event.skip), 8);
  if (event.errorCode !== undefined) stack.push(BigInt(event.errorCode), 8);
  const selector = (gate.selector & 0xfffc) | handler.cpl;
  const cs = segmentFromDescriptor(cpu, selector, handler.descriptor);

  assignSegment(state.cs, cs);
  if (inner) assignSegment(state.ss, nullStackSegment(state.ss, handler.cpl));
  state.cpl = handler.cpl;
  state.rsp = stack.rsp;
  state.rip = gate.offset;
  enterHandlerFlags(cpu, gate);
}
