// Makes .inv texts: from syntax trees printed with all brackets and any space or comment, and by mutation.
import fc from "fast-check";

const name = fc.constantFrom("x", "y", "leaf", "vmcb", "table_1", "inner", "count_of");
const number = fc.constantFrom("0", "1_000", "0x1f", "0b101", "4K", "2M", "18446744073709551616");
const binary = fc.constantFrom(
  ...["=>", "<=>", "||", "&&", "|", "^", "&", "==", "!=", "<", "<=", ">", ">=", "in"],
  ...["<<", ">>", "+", "-", "*", "/", "%"],
);
const unary = fc.constantFrom("!", "-", "~", "*", "&");
const comment = fc.constantFrom("// said\n", "/* said */", "/* two\n   lines */");
const gap = fc.oneof(
  { weight: 12, arbitrary: fc.constant(" ") },
  { weight: 2, arbitrary: fc.constantFrom("\n", "\n\n\n", "\t", "  \r\n ") },
  { weight: 1, arbitrary: comment.map((each) => ` ${each} `) },
);

type Tokens = readonly string[];
const bracketed = (tokens: Tokens): Tokens => ["(", ...tokens, ")"];

const { expression } = fc.letrec<{ expression: Tokens; operand: Tokens }>((tie) => ({
  operand: fc.oneof(
    { depthSize: "small" },
    fc.oneof(name, number).map((token) => [token]),
    name.map((token) => ["$", token]),
    tie("expression").map(bracketed),
    fc.tuple(unary, tie("operand")).map(([sign, of]) => [sign, ...of]),
    fc.tuple(name, tie("expression")).map(([of, index]) => [of, "[", ...index, "]"]),
    fc.tuple(name, fc.constantFrom(".", "->"), name),
    fc.tuple(name, tie("expression"), tie("operand")).map(([of, a, b]) => {
      return [of, "(", ...a, ",", ...b, ")"];
    }),
    tie("expression").map((of) => ["old", "(", ...of, ")"]),
    tie("operand").map((of) => ["{", ...of, ",", "1", "}"]),
  ),
  expression: fc.oneof(
    { depthSize: "small", maxDepth: 5 },
    tie("operand"),
    fc.tuple(tie("operand"), binary, tie("operand")).map(([a, sign, b]) => [...a, sign, ...b]),
    fc
      .tuple(tie("operand"), tie("expression"), tie("operand"))
      .map(([a, b, c]) => [...a, "?", ...b, ":", ...c]),
    fc
      .tuple(fc.constantFrom("forall", "exists"), name, tie("operand"), tie("expression"))
      .map(([word, of, list, body]) => [word, of, "in", ...list, "if", "true", ":", ...body]),
    fc.tuple(name, tie("operand")).map(([of, list]) => ["count", "(", of, "in", ...list, ")"]),
    fc
      .tuple(name, tie("operand"), tie("expression"))
      .map(([of, value, body]) => ["let", of, "=", ...value, ":", ...body]),
  ),
}));

const event = fc.constantFrom<Tokens>(
  ["vmrun"],
  ["exit", "(", "NPF", ",", "CPUID", ")"],
  ["call", "map_page"],
  ["msr_write", "(", "EFER", ",", "0xc001_0117", ")"],
);
const item = fc.oneof(
  fc
    .tuple(event, fc.subarray(["doc", "source", "phase"]), expression)
    .map(
      ([on, parts, body]): Tokens => [
        ...["invariant", "some", "on", ...on, ",", "always"],
        ...(parts.includes("phase") ? ["after", "first", "vmrun"] : []),
        ...(parts.includes("doc") ? ['"What \\"it\\" says"'] : []),
        ...(parts.includes("source") ? ["source", '"APM volume 2"'] : []),
        ...[":", ...body, ";"],
      ],
    ),
  fc.tuple(fc.boolean(), expression).map(([hasParameters, body]): Tokens => {
    const parameters = ["(", "p", ":", "integer", ",", "q", ":", "list", "of", "Leaf", ")"];
    return ["define", "d", ...(hasParameters ? parameters : []), "=", ...body, ";"];
  }),
  fc.constant<Tokens>(["memory", "hv", "=", "0x1000", "..", "0x2000", ",", "1M", "..", "2M", ";"]),
);

/** Texts without an error of syntax. */
export const texts: fc.Arbitrary<string> = fc
  .tuple(fc.array(item, { maxLength: 3 }), fc.array(gap, { minLength: 1, maxLength: 40 }))
  .map(([items, gaps]) => {
    const tokens = items.flat();
    return tokens.map((token, i) => `${gaps[i % gaps.length]}${token}`).join("");
  });
