/** The PS/2 keyboard and mouse behind the 8042: commands in, replies out (IBM PS/2 reference). */

const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;

export const keyboardPowerOn = () => ({ scanning: true, leds: 0, scancodeSet: 2, argumentFor: 0 });
export const mousePowerOn = () => ({
  reporting: false,
  remote: false,
  scaling: false,
  resolution: 2,
  rate: 100,
  argumentFor: 0,
});
export type Keyboard = ReturnType<typeof keyboardPowerOn>;
export type Mouse = ReturnType<typeof mousePowerOn>;

/** Carries out a byte sent to the keyboard and gives its reply. `translated`: the 8042 gives set 1. */
export function keyboardCommand(keyboard: Keyboard, byte: number, translated: boolean): number[] {
  const command = keyboard.argumentFor;
  keyboard.argumentFor = 0;
  if (command !== 0) return keyboardArgument(keyboard, command, byte);
  switch (byte) {
    case 0xed:
    case 0xf0:
    case 0xf3:
      keyboard.argumentFor = byte;
      return [ACKNOWLEDGE];
    case 0xee:
      return [0xee];
    case 0xf2:
      return [ACKNOWLEDGE, 0xab, translated ? 0x41 : 0x83];
    case 0xf4:
      keyboard.scanning = true;
      return [ACKNOWLEDGE];
    case 0xf5:
    case 0xf6:
      Object.assign(keyboard, keyboardPowerOn(), { scanning: byte === 0xf6 });
      return [ACKNOWLEDGE];
    case 0xff:
      Object.assign(keyboard, keyboardPowerOn());
      return [ACKNOWLEDGE, SELF_TEST_PASSED];
    default:
      return [byte >= 0xf7 && byte <= 0xfd ? ACKNOWLEDGE : RESEND];
  }
}

function keyboardArgument(keyboard: Keyboard, command: number, byte: number): number[] {
  if (command === 0xed) keyboard.leds = byte & 7;
  if (command !== 0xf0) return [ACKNOWLEDGE];
  if (byte === 0) return [ACKNOWLEDGE, keyboard.scancodeSet];
  if (byte > 3) return [RESEND];
  keyboard.scancodeSet = byte;
  return [ACKNOWLEDGE];
}

/** Carries out a byte sent to the mouse (standard three-byte PS/2, identity 0) and gives its reply. */
export function mouseCommand(mouse: Mouse, byte: number): number[] {
  const command = mouse.argumentFor;
  mouse.argumentFor = 0;
  if (command === 0xe8) mouse.resolution = byte & 3;
  if (command === 0xf3) mouse.rate = byte;
  if (command !== 0) return [ACKNOWLEDGE];
  switch (byte) {
    case 0xe6:
    case 0xe7:
      mouse.scaling = byte === 0xe7;
      return [ACKNOWLEDGE];
    case 0xe8:
    case 0xf3:
      mouse.argumentFor = byte;
      return [ACKNOWLEDGE];
    case 0xe9: {
      const modes = (mouse.remote ? 0x40 : 0) | (mouse.reporting ? 0x20 : 0);
      return [ACKNOWLEDGE, modes | (mouse.scaling ? 0x10 : 0), mouse.resolution, mouse.rate];
    }
    case 0xea:
    case 0xf0:
      mouse.remote = byte === 0xf0;
      return [ACKNOWLEDGE];
    case 0xeb:
      // A report of no movement and no buttons.
      return [ACKNOWLEDGE, 0x08, 0, 0];
    case 0xf2:
      return [ACKNOWLEDGE, 0];
    case 0xf4:
    case 0xf5:
      mouse.reporting = byte === 0xf4;
      return [ACKNOWLEDGE];
    case 0xf6:
    case 0xff:
      Object.assign(mouse, mousePowerOn());
      return byte === 0xff ? [ACKNOWLEDGE, SELF_TEST_PASSED, 0] : [ACKNOWLEDGE];
    default:
      return [RESEND];
  }
}
