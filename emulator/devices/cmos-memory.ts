/** What the PC's firmware leaves in CMOS memory: registers, equipment and the sizes of memory. */

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * The bytes of a PC with this much RAM. 0x15/17/30: KiB below and above 1 MiB (the latter at most
 * 65535); 0x34: 64 KiB units above 16 MiB; 0x2e: checksum of 0x10-0x2d.
 */
export function cmosMemory(ramBytes: number): Uint8Array {
  const memory = new Uint8Array(128);
  const put16 = (at: number, value: number) => {
    memory[at] = value & 0xff;
    memory[at + 1] = value >> 8;
  };
  // 32768 Hz with the 1024 Hz rate; 24 hours in BCD; the battery is good.
  memory[0x0a] = 0x26;
  memory[0x0b] = 0x02;
  memory[0x0d] = 0x80;
  // Equipment: a maths coprocessor and a PS/2 mouse.
  memory[0x14] = 0x06;
  put16(0x15, 640);
  const extended = Math.min(Math.max(ramBytes - MIB, 0) / KIB, 0xffff);
  put16(0x17, extended);
  put16(0x30, extended);
  put16(0x34, Math.min(Math.max(ramBytes - 16 * MIB, 0) / (64 * KIB), 0xffff));
  let sum = 0;
  for (let at = 0x10; at < 0x2e; at++) sum += memory[at]!;
  memory[0x2e] = (sum >> 8) & 0xff;
  memory[0x2f] = sum & 0xff;
  return memory;
}
