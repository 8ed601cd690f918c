// A guest changes a page-table entry without INVLPG: it sees the same stale page whatever watches it.

import { expect, test } from "vitest";
import { loadKernel, Machine, PageReason } from "../../emulator/index.ts";
import { buildImage, multibootSource } from "../emulator/loader/build-image.ts";

const RAM = 8 * 2 ** 20;
/** Reads of the page after its entry changed, and reads of other pages between them. */
const ROUNDS = 64;
const OLD = 0x1111;
const NEW = 0x2222;
const END = 0x42;

/**
 * Maps 4 MiB one to one by 4 KiB pages and linear 3 MiB to page `old`, reads it, points the entry
 * at page `new`, and sums up what it reads there: in ESI before, in EDI after INVLPG.
 */
const BODY = `
  mov $0, %ecx
1: mov %ecx, %eax
  shl $12, %eax
  or $3, %eax
  mov %eax, 0x200000(,%ecx,4)
  inc %ecx
  cmp $1024, %ecx
  jne 1b
  movl $0x200003, 0x201000
  movl $${OLD}, 0x210000
  movl $${NEW}, 0x211000
  movl $0x210003, 0x200c00
  mov $0x201000, %eax
  mov %eax, %cr3
  mov %cr0, %eax
  or $0x80000000, %eax
  mov %eax, %cr0
  mov 0x300000, %eax
  movl $0x211003, 0x200c00
  xor %esi, %esi
  mov $${ROUNDS}, %ecx
2: add 0x300000, %esi
  mov %ecx, %eax
  shl $12, %eax
  incl 0x220000(%eax)
  loop 2b
  invlpg 0x300000
  xor %edi, %edi
  mov $${ROUNDS}, %ecx
3: add 0x300000, %edi
  loop 3b
  mov $${END}, %al
  out %al, $0xf4
  hlt`;

const kernel = buildImage(multibootSource(3, "", BODY));

function boot(): Machine {
  const machine = new Machine({ ramBytes: RAM });
  machine.load(loadKernel({ kernel: { name: "stale", bytes: kernel }, ramBytes: RAM }));
  return machine;
}

/** Steps of one instruction, with `between` after each, to the end; returns the final hash. */
function run(machine: Machine, between: (machine: Machine) => void): string {
  for (;;) {
    const result = machine.run({ instructions: 1 });
    if (result.reason !== "budget") {
      expect(result).toEqual({ reason: "debugExit", value: END, status: 2 * END + 1 });
      break;
    }
    between(machine);
  }
  expect(machine.state.rsi).toBe(BigInt(ROUNDS * OLD));
  expect(machine.state.rdi).toBe(BigInt(ROUNDS * NEW));
  return machine.stateHash();
}

test("the stale entry lasts until INVLPG in every way of running", () => {
  const whole = boot();
  expect(whole.run({ instructions: 1_000_000 }).reason).toBe("debugExit");
  const expected = whole.stateHash();

  const watched = boot();
  watched.memory.addReasonToAll(PageReason.watchRead | PageReason.watchWrite);
  let reads = 0;
  watched.observe({
    name: "watch",
    on: {
      physicalRead: () => {
        reads++;
        return undefined;
      },
    },
  });
  const hashes = {
    steps: run(boot(), () => {}),
    watched: run(watched, () => {}),
    snapshots: run(boot(), (machine) => machine.restore(machine.snapshot())),
    debugger: run(boot(), (machine) => {
      machine.memory.peek(0x20_0000, 8192);
      machine.memory.poke(0x30_0000, machine.memory.peek(0x30_0000, 16));
    }),
  };
  expect(hashes).toEqual({
    steps: expected,
    watched: expected,
    snapshots: expected,
    debugger: expected,
  });
  expect(reads).toBeGreaterThan(2 * ROUNDS);
});
