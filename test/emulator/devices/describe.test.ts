// What chips say of themselves, against what was programmed into them; saying it changes nothing.
import { expect, test } from "vitest";
import { initialisePic, makeRig, type Rig } from "./rig.ts";

const described = (rig: Rig, name: string) =>
  rig.platform.devices.find((device) => device.name === name)?.describe?.();

test("registers are told with what they mean, without a side effect", () => {
  const rig = makeRig();
  rig.platform.setUpAsFirmware();
  initialisePic(rig, true);
  rig.writel(0xfee0_0320, 0x2_00ec);
  rig.writel(0xfee0_03e0, 0x0b);
  rig.writel(0xfee0_0380, 1000);
  rig.writel(0xfec0_0000, 0x10 + 2 * 4);
  rig.writel(0xfec0_0010, 0x0001_a930);
  rig.outb(0x3fb, 0x1b);
  rig.outb(0x3fa, 0x01);
  rig.platform.interrupts.isaLine(4)(true);
  const before = structuredClone(rig.platform.save());
  expect(described(rig, "local-apic")).toMatchObject({
    timer: { value: 0x2_00ec, words: "vector 0xec, fixed, periodic" },
    lint0: { value: 0x8700, words: "vector 0x0, ExtINT, level" },
    divide: { value: 0x0b, words: "by 1" },
    currentCount: 1000,
    svr: { value: 0x1ff, words: "enabled" },
    irr: "none",
  });
  expect(described(rig, "io-apic")).toMatchObject({
    redirect4: {
      value: 0x1_a930n,
      words: "vector 0x30, lowest priority, level, to logical 0, masked",
    },
    redirect5: { words: "vector 0x0, fixed, edge, to 0, masked" },
  });
  expect(described(rig, "com1")).toMatchObject({
    lcr: { value: 0x1b, words: "8E1" },
    fcr: { words: "FIFOs on" },
    divisor: { value: 12, words: "9600 baud" },
  });
  expect(described(rig, "pic")).toMatchObject({ irr: { value: 0x10, words: "IRQ 4" } });
  expect(described(rig, "pit")).toMatchObject({ mode0: { value: 2 }, reload0: 0x1_0000 });
  expect(described(rig, "rtc")).toMatchObject({ b: { words: "24 hours, BCD" } });
  expect(described(rig, "pci-host")).toMatchObject({ vendor: 0x8086, device: 0x1237 });
  expect(rig.platform.save()).toEqual(before);
});
