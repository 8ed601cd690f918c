/** Where breakpoints on source lines, functions and instructions belong: to an image and an offset in it. */

import { formatReference, parseReference } from "../addresses/memory-reference.ts";
import type { Target } from "../breakpoints.ts";
import type { Image } from "../images.ts";
import { UserError } from "../text.ts";
import type { Found, Place } from "./breakpoint.ts";

/** The instruction of an image that runs at `address`: in physical memory if the loader placed it. */
function placesIn({ presence }: Target, image: Image, address: bigint): Place[] {
  const { slide, world, parts } = image;
  if (slide === undefined) return [];
  const linear: Place = { kind: "linear", address, world, image };
  if (!presence.isLoaderPlaced(image)) return [linear];
  const linked = BigInt.asUintN(64, address - slide);
  const segment = parts.segments.find(
    ({ virtual, size }) => virtual <= linked && linked < virtual + size,
  );
  if (segment === undefined) return [linear];
  return [
    { kind: "physical", address: Number(segment.physical + (linked - segment.virtual)), world },
    linear,
  ];
}

/** What is awaited where none of the images is in memory. Throws where they are of other builds. */
function awaited({ presence }: Target, images: readonly Image[]): Pick<Found, "pending"> {
  const states = images.map((image) => ({ image, state: presence.of(image) }));
  if (states.some(({ image, state }) => state.kind === "present" && image.slide !== undefined)) {
    return {};
  }
  const [first] = states;
  const pending = states.find(({ state }) => state.kind !== "otherBuild");
  if (pending === undefined) {
    if (first?.state.kind === "otherBuild") throw new UserError(first.state.message);
    return {};
  }
  const { image, state } = pending;
  const what = image.world === "host" ? "memory" : "the guest's memory";
  if (image.slide === undefined) {
    return { pending: `Waits until it is known where ${image.name} runs in ${what}.` };
  }
  const seen = state.kind === "awaited" && state.seen !== undefined ? `: ${state.seen} now` : "";
  return { pending: `Waits until the code of ${image.name} is in ${what}${seen}.` };
}

/** Throws a UserError where no image has code for the line or after it. */
export function placesOfLine(target: Target, path: string, line: number): Found {
  const { images } = target.debuggee;
  const known = images.withSource(path);
  if (known.length === 0) {
    const names = images.all.map((image) => image.name).join(", ") || "no image has symbols";
    throw new UserError(`${path} is not a source of any loaded image (${names}).`);
  }
  const places: Place[] = [];
  const owners: Image[] = [];
  let actual: number | undefined;
  for (const { image, file } of known) {
    const found = image.symbols.addressesOf(file, line);
    if (found === undefined) continue;
    actual ??= found.line;
    owners.push(image);
    places.push(...found.addresses.flatMap((address) => placesIn(target, image, address)));
  }
  if (actual === undefined) {
    throw new UserError(`${path} has no code at line ${line} or after it.`);
  }
  return { places, path, line: actual, ...awaited(target, owners) };
}

export function hasFunction({ debuggee }: Target, name: string): boolean {
  return debuggee.images.all.some(({ symbols }) => symbols.functionsNamed(name).length > 0);
}

export const noFunction = (name: string): string => `No loaded image has a function "${name}"`;

/** "name" or "image!name"; a function that no image has may be one of a kernel that is not up yet. */
export function placesOfFunction(target: Target, name: string): Found {
  const { images } = target.debuggee;
  const [wanted, only] = name.includes("!") ? name.split("!").reverse() : [name];
  const places: Place[] = [];
  const owners: Image[] = [];
  let first: { path: string; line: number } | undefined;
  for (const image of images.all) {
    if (only !== undefined && !image.name.startsWith(only)) continue;
    for (const place of image.symbols.functionsNamed(wanted ?? name)) {
      owners.push(image);
      places.push(...placesIn(target, image, place.body));
      const at = images.sourceAt(image.world, place.body);
      first ??= at && { path: at.path, line: at.line };
    }
  }
  if (owners.length === 0) {
    const waits = "waits for one that has, as a Linux kernel that is booting";
    return { pending: `${noFunction(name)}; ${waits}.` };
  }
  return { places, ...first, ...awaited(target, owners) };
}

/** An instruction by its address in any space. Throws a UserError where nothing is mapped. */
export function placeOfInstruction(target: Target, text: string, offset: number): Found {
  const { spaces, world } = target.debuggee;
  const parsed = parseReference(text, world === "host" ? "hva" : "gva");
  const address = BigInt.asUintN(64, parsed.address + BigInt(offset));
  const { kind } = parsed.space;
  if (kind === "hva" || kind === "gva") {
    const place: Place = { kind: "linear", address, world: kind === "hva" ? "host" : "guest" };
    const shown = { space: { kind }, address };
    return { places: [place], instructionReference: formatReference(shown) };
  }
  const reference = spaces.resolved({ space: parsed.space, address });
  const found = spaces.translate(reference);
  if (found.kind !== "page") {
    throw new UserError(`${formatReference(reference)} is not mapped to memory: ${found.reason}.`);
  }
  return {
    places: [{ kind: "physical", address: found.physical }],
    instructionReference: formatReference(reference),
  };
}
