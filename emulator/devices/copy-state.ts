/** Deep copies of device state, so that a saved state never shares memory with a live chip. */

import type { DeviceState, DeviceValue } from "./device.ts";

function copyValue(value: DeviceValue): DeviceValue {
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(copyValue);
  return copyState(value as DeviceState);
}

export function copyState<T extends DeviceState>(state: T): T {
  const copy: { [name: string]: DeviceValue } = {};
  for (const [name, value] of Object.entries(state)) copy[name] = copyValue(value);
  return copy as T;
}
