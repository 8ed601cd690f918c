// A platform on plain buses, with a clock that a test moves by hand.
import type { Device } from "../../../emulator/devices/device.ts";
import { Platform, type PlatformStop } from "../../../emulator/platform.ts";
import type { PhysicalMemory, PortSpace } from "../../../emulator/vcpu.ts";

class PortTable implements PortSpace {
  private readonly owners = new Map<number, Device>();

  attach(device: Device, first: number, count: number): void {
    for (let port = first; port < first + count; port++) {
      const other = this.owners.get(port);
      if (other) throw new Error(`port ${port} belongs to ${other.name} and ${device.name}`);
      this.owners.set(port, device);
    }
  }

  read(port: number, size: 1 | 2 | 4): number {
    return this.owners.get(port)?.readPort?.(port, size) ?? 2 ** (8 * size) - 1;
  }

  write(port: number, size: 1 | 2 | 4, value: number): void {
    this.owners.get(port)?.writePort?.(port, size, value);
  }
}

export function makeRig(options: { ramBytes?: number; startTime?: number; now?: number } = {}) {
  let now = options.now ?? 0;
  const stops: PlatformStop[] = [];
  const consoles: Record<string, number[]> = { com1: [], com2: [], debug: [] };
  const ports = new PortTable();
  const mmio: { device: Device; first: number; bytes: number }[] = [];
  const counts = { interruptsChanged: 0, alarmsChanged: 0, nmi: 0 };
  const platform = new Platform({
    ramBytes: 512 * 1024 * 1024,
    ...options,
    now: () => now,
    events: {
      console: (source, byte) => consoles[source]!.push(byte),
      stop: (stop) => stops.push(stop),
      interruptsChanged: () => {
        counts.interruptsChanged++;
      },
      alarmsChanged: () => {
        counts.alarmsChanged++;
      },
      nonMaskableInterrupt: () => {
        counts.nmi++;
      },
    },
  });
  platform.attach(ports, {
    attachMmio: (device: Device, first: number, bytes: number) =>
      mmio.push({ device, first, bytes }),
  } as unknown as PhysicalMemory);
  const at = (address: number) =>
    mmio.find(({ first, bytes }) => address >= first && address < first + bytes)!.device;
  return {
    platform,
    ports,
    stops,
    consoles,
    counts,
    inb: (port: number) => ports.read(port, 1),
    outb: (port: number, value: number) => ports.write(port, 1, value),
    readl: (address: number) => Number(at(address).readMmio!(address, 4)),
    writel: (address: number, value: number) => at(address).writeMmio!(address, 4, BigInt(value)),
    now: () => now,
    /** Lets time pass, alarm by alarm. */
    advance(ticks: number): void {
      const end = now + ticks;
      while (platform.nextAlarm() <= end) {
        now = Math.max(now, platform.nextAlarm());
        platform.runAlarms(now);
      }
      now = end;
    },
    text: (source: "com1" | "com2" | "debug") => String.fromCharCode(...consoles[source]!),
  };
}
export type Rig = ReturnType<typeof makeRig>;

/** Initialises both PICs at vectors 0x20 and 0x28 with nothing masked. */
export function initialisePic(rig: Rig, autoEoi = false): void {
  for (const [base, vectors, cascade] of [
    [0x20, 0x20, 4],
    [0xa0, 0x28, 2],
  ] as const) {
    rig.outb(base, 0x11);
    for (const word of [vectors, cascade, autoEoi ? 3 : 1, 0]) rig.outb(base + 1, word);
  }
}
