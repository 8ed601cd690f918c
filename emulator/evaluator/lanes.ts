/** Lane operations on 128-bit bigints: the plain meaning of the WebAssembly instruction of that name. */

import type { LaneOperation } from "../instructions/context.ts";

type Binary = (a: bigint, b: bigint, bits: number) => bigint;

const signed = (v: bigint, bits: number): bigint => BigInt.asIntN(bits, v);

function clamp(value: bigint, low: bigint, high: bigint): bigint {
  if (value < low) return low;
  return value > high ? high : value;
}
const clampSigned = (v: bigint, bits: number): bigint =>
  clamp(v, -(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n);
const clampUnsigned = (v: bigint, bits: number): bigint => clamp(v, 0n, (1n << BigInt(bits)) - 1n);

/** The lesser first. */
function ordered(a: bigint, b: bigint): readonly [bigint, bigint] {
  return a < b ? [a, b] : [b, a];
}

/** Operations that work on each pair of lanes by itself. */
const PAIRWISE: Record<string, Binary> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  eq: (a, b) => (a === b ? -1n : 0n),
  gt_s: (a, b, n) => (signed(a, n) > signed(b, n) ? -1n : 0n),
  min_u: (a, b) => ordered(a, b)[0],
  max_u: (a, b) => ordered(a, b)[1],
  min_s: (a, b, n) => ordered(signed(a, n), signed(b, n))[0],
  max_s: (a, b, n) => ordered(signed(a, n), signed(b, n))[1],
  add_sat_s: (a, b, n) => clampSigned(signed(a, n) + signed(b, n), n),
  sub_sat_s: (a, b, n) => clampSigned(signed(a, n) - signed(b, n), n),
  add_sat_u: (a, b, n) => clampUnsigned(a + b, n),
  sub_sat_u: (a, b, n) => clampUnsigned(a - b, n),
  avgr_u: (a, b) => (a + b + 1n) >> 1n,
};

const WHOLE: Record<string, (a: bigint, b: bigint) => bigint> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  andnot: (a, b) => a & ~b,
};

/** The lanes of a value, lowest first. */
function split(value: bigint, bits: number): bigint[] {
  return Array.from({ length: 128 / bits }, (_, i) =>
    BigInt.asUintN(bits, value >> BigInt(i * bits)),
  );
}

function join(lanes: readonly bigint[], bits: number): bigint {
  return lanes.reduce(
    (value, lane, i) => value | (BigInt.asUintN(bits, lane) << BigInt(i * bits)),
    0n,
  );
}

function narrow(a: bigint, b: bigint, bits: number, unsigned: boolean): bigint {
  const saturate = unsigned ? clampUnsigned : clampSigned;
  const wide = [...split(a, bits * 2), ...split(b, bits * 2)];
  return join(
    wide.map((lane) => saturate(signed(lane, bits * 2), bits)),
    bits,
  );
}

function dot(a: bigint, b: bigint): bigint {
  const products = split(a, 16).map((lane, i) => {
    const other = split(b, 16)[i] ?? 0n;
    return signed(lane, 16) * signed(other, 16);
  });
  return join(
    [0, 2, 4, 6].map((i) => (products[i] ?? 0n) + (products[i + 1] ?? 0n)),
    32,
  );
}

function extendedMultiply(a: bigint, b: bigint, high: boolean, isSigned: boolean): bigint {
  const widen = (v: bigint): bigint => (isSigned ? signed(v, 16) : v);
  const from = high ? 4 : 0;
  const left = split(a, 16).slice(from, from + 4);
  const right = split(b, 16).slice(from, from + 4);
  return join(
    left.map((lane, i) => widen(lane) * widen(right[i] ?? 0n)),
    32,
  );
}

/** Carries out a lane operation. */
export function laneOperation(operation: LaneOperation, a: bigint, b: bigint): bigint {
  const [shape = "", name = ""] = operation.split(".");
  if (shape === "v128") return BigInt.asUintN(128, WHOLE[name]?.(a, b) ?? 0n);
  const bits = Number(/^i(\d+)x/.exec(shape)?.[1]);
  if (name.startsWith("narrow")) return narrow(a, b, bits, name.endsWith("_u"));
  if (name.startsWith("dot")) return dot(a, b);
  if (name.startsWith("extmul")) {
    return extendedMultiply(a, b, name.includes("high"), name.endsWith("_s"));
  }
  const pairwise = PAIRWISE[name];
  if (pairwise === undefined) throw new Error(`Lane operation ${operation} is unknown`);
  const other = split(b, bits);
  return join(
    split(a, bits).map((lane, i) => pairwise(lane, other[i] ?? 0n, bits)),
    bits,
  );
}
