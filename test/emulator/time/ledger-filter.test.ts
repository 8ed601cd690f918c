// Filters as people write them, against the rows that they choose.
import { describe, expect, test } from "vitest";
import { parseFilter } from "../../../emulator/index.ts";

describe("a filter is its conditions", () => {
  test.each([
    ["", []],
    ["reason=NPF,CPUID", [{ kind: "reason", codes: [0x400, 0x72] }]],
    ["reason != IOIO, 0x72", [{ kind: "reason", codes: [0x7b, 0x72], not: true }]],
    ["npf, 0x72", [{ kind: "reason", codes: [0x400, 0x72] }]],
    ["IOIO", [{ kind: "reason", codes: [0x7b] }]],
    ["guest=1", [{ kind: "range", column: "guest", min: 1, max: 1 }]],
    ["cost >= 1000", [{ kind: "range", column: "cost", min: 1000 }]],
    ["number<=5", [{ kind: "number", max: 5 }]],
    ["rip<0x1000", [{ kind: "wide", column: "guestRip", max: 0xfffn }]],
    ["cr3=0x1000..0x1fff", [{ kind: "wide", column: "cr3", min: 0x1000n, max: 0x1fffn }]],
    ["changed=rip", [{ kind: "changed", field: "RIP" }]],
    [
      "port=0x3f8..0x3ff",
      [
        { kind: "reason", codes: [0x7b] },
        { kind: "wide", column: "info1", min: 0x3f8_0000n, max: 0x3ff_ffffn },
      ],
    ],
    [
      "msr>0xc0000080",
      [
        { kind: "reason", codes: [0x7c] },
        { kind: "range", column: "ecx", min: 0xc000_0081 },
      ],
    ],
    [
      "gpa<=0x1000",
      [
        { kind: "reason", codes: [0x400] },
        { kind: "wide", column: "info2", max: 0x1000n },
      ],
    ],
  ])("%s", (text, conditions) => {
    expect(parseFilter(text)).toEqual(conditions);
  });

  test("several hold together, however they are spaced", () => {
    const apart = ["reason=NPF,IOIO", "cost>=5", "guest=1", "CPUID"].flatMap(parseFilter);
    expect(parseFilter("reason = NPF, IOIO  cost>= 5\tguest =1 CPUID")).toEqual(apart);
  });
});

test.each([
  ["cost~5", /^"cost~5" is no condition: give a name \(reason, number/],
  ["cost", /^"cost" is no condition/],
  ["cost>", /^"cost>" is no condition/],
  ["NPF cost>=1=2", /^"cost>=1=2" is no condition/],
  ["day=5", /^"day=5" is no condition/],
  ["constructor=1", /is no condition/],
  ["cost>=many", /^"cost>=many": "many" is not a whole number/],
  ["cost>=1..2", /"1..2" is not a whole number/],
  ["reason=FOO", /^"reason=FOO": "FOO" is no exit/],
  ["FOO", /^"FOO": "FOO" is no exit/],
  ["reason>NPF", /reason can only be compared by = and !=$/],
  ["reason!=FOO", /^"reason!=FOO": "FOO" is no exit/],
  ["reason!=", /^"reason!=" is no condition/],
  ["cost!=5", /^"cost!=5": only reasons have !=; say what is wanted, as cost=1\.\.5$/],
  ["changed!=RIP", /^"changed!=RIP": only reasons have !=; say what is wanted, as changed=RIP$/],
  ["changed>RIP", /changed can only be compared by =$/],
  ["changed=nothing", /no field of the VMCB/],
])("%s is refused in one sentence", (text, words) => {
  expect(() => parseFilter(text)).toThrow(words);
});
