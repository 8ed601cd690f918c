// The lockstep tool: compares our machine with QEMU from a kernel's entry and prints where they part.
//
//   npx esbuild test/lockstep/main.ts --bundle --platform=node --format=cjs --loader:.inv=text --external:iced-x86 \
//     --define:import.meta.url="'file://$PWD/scripts/lockstep'" --outfile=dist/lockstep.cjs
//   node dist/lockstep.cjs --kernel FILE [--module "FILE ARGS"]... [--append TEXT] [--memory MIB]
//     [--start ADDRESS] [--count N]

import { parseArgs } from "node:util";
import { Lockstep } from "./lockstep.ts";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kernel: { type: "string" },
      module: { type: "string", multiple: true, default: [] },
      append: { type: "string", default: "" },
      memory: { type: "string", default: "512" },
      start: { type: "string" },
      count: { type: "string", default: "20000" },
    },
  });
  if (values.kernel === undefined) throw new Error("--kernel FILE is missing");
  const result = await Lockstep.run({
    kernel: values.kernel,
    modules: values.module,
    append: values.append,
    memory: Number(values.memory),
    ...(values.start === undefined ? {} : { start: BigInt(values.start) }),
    count: Number(values.count),
  });
  const { compared, inGuest, vmcbs } = result;
  console.log(`${compared} instructions equal, ${inGuest} of them in a guest; ${vmcbs} VMCBs`);
  for (const [rule, times] of result.excused) console.log(`excused by "${rule}": ${times}`);
  console.log(`end: ${result.end}`);
  if (result.report !== "") console.log(result.report);
  return result.end === "difference" ? 1 : 0;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 2;
  },
);
