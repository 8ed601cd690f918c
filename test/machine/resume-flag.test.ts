// RFLAGS.RF: IRET loads it, and the next instruction that completes clears it.

import { expect, test } from "vitest";
import { getFlag, loadKernel, Machine } from "../../emulator/index.ts";
import { buildImage, multibootSource } from "../emulator/loader/build-image.ts";

const RAM = 4 * 2 ** 20;
const RF = 0x1_0002;

/** IRET to an IRET to NOPs, both with RF in the image; then a PUSHF and the end. */
const BODY = `
  mov $stack, %esp
  push $${RF}
  push %cs
  push $2f
  push $${RF}
  push %cs
  push $1f
  iret
1: iret
2: nop
  nop
  pushf
  pop %eax
  mov $1, %al
  out %al, $0xf4
.bss
.space 256
stack:
.text`;

const kernel = buildImage(multibootSource(3, "", BODY));

function boot(): Machine {
  const machine = new Machine({ ramBytes: RAM });
  machine.load(loadKernel({ kernel: { name: "resume", bytes: kernel }, ramBytes: RAM }));
  return machine;
}

test("the instruction after IRET clears RF, but for an IRET that loads it again", () => {
  const machine = boot();
  machine.run({ instructions: 7 });
  const flags: boolean[] = [];
  for (let i = 0; i < 5; i++) {
    flags.push(getFlag(machine.state, "RF"));
    machine.run({ instructions: 1 });
  }
  expect(flags).toEqual([false, true, true, false, false]);
});

test("the same in one run", () => {
  const whole = boot();
  const steps = boot();
  whole.run({ instructions: 11 });
  for (let i = 0; i < 11; i++) steps.run({ instructions: 1 });
  expect(getFlag(whole.state, "RF")).toBe(false);
  expect(whole.stateHash()).toBe(steps.stateHash());
});
