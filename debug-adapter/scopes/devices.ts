/** The Devices scope: every chip's registers, read without side effects. */
import type { DeviceRegisters } from "../../emulator/index.ts";
import type { ShowNumber } from "../format.ts";
import { branch, type VariableNode } from "../variables.ts";
import type { Scope } from "./view.ts";

export const deviceScope: Scope = {
  name: "Devices",
  expensive: true,
  children: ({ debuggee }) =>
    branch(() =>
      debuggee.machine.platform.devices.flatMap((device): VariableNode[] => {
        const count = Object.keys(device.describe?.() ?? {}).length;
        if (count === 0) return [];
        const list = (show: ShowNumber) => registerNodes(device.describe?.() ?? {}, show);
        const value = `${count} register${count === 1 ? "" : "s"}`;
        return [{ name: device.name, value, children: branch(list) }];
      }),
    ),
};

function registerNodes(registers: DeviceRegisters, show: ShowNumber): VariableNode[] {
  return Object.entries(registers).map(([name, register]) => {
    if (typeof register === "string") return { name, value: register };
    if (typeof register !== "object") return { name, value: show(register) };
    return { name, value: `${show(register.value)} (${register.words})` };
  });
}
