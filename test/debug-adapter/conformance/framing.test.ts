// What is no message on the adapter's input: it is passed over, and the next request is answered.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { adapterPath } from "../../harness/dap-adapter.ts";

let adapter: ChildProcessWithoutNullStreams;
let received: string;
beforeEach(async () => {
  adapter = spawn(process.execPath, [await adapterPath()]);
  received = "";
  adapter.stdout.on("data", (chunk) => {
    received += String(chunk);
  });
});
afterEach(() => void adapter.kill());

const framed = (body: string): string =>
  `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const request = (seq: number, command: unknown, args?: unknown): string =>
  framed(JSON.stringify({ type: "request", seq, command, arguments: args }));

/** The response to a request, once it is there. */
async function answerTo(seq: number): Promise<{ success: boolean; message?: string }> {
  for (let i = 0; i < 500; i++) {
    for (const body of received.split(/Content-Length: \d+\r\n\r\n/)) {
      if (body.includes(`"request_seq":${seq},`) && body.endsWith("}")) return JSON.parse(body);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`no answer to ${seq} in ${received.slice(0, 1000)}`);
}

test.each<[string, string]>([
  ["no JSON", framed("{{{{")],
  ["no object", framed("7")],
  ["null", framed("null")],
  ["no type", framed('{"seq":1}')],
  ["a header without a length", "X-Other: 1\r\n\r\n"],
  ["a length that is no number", "Content-Length: many\r\n\r\n"],
  ["other headers", "X-Other: 1\r\ncontent-length:2\r\n\r\n{}"],
  ["an event", framed('{"type":"event","seq":1,"event":"stopped"}')],
  ["an answer to nothing", framed('{"type":"response","seq":1,"request_seq":9,"success":true}')],
])("%s", async (_, bytes) => {
  adapter.stdin.write(bytes + request(2, "initialize", { adapterID: "x" }));
  expect(await answerTo(2)).toMatchObject({ success: true });
});

test("requests whose command is no name, or a name that objects have", async () => {
  const commands = [7, null, {}, "__proto__", "constructor", "toString", "", "x".repeat(1 << 20)];
  commands.forEach((command, i) => void adapter.stdin.write(request(i + 1, command)));
  for (let seq = 1; seq <= commands.length; seq++) {
    const { success, message } = await answerTo(seq);
    expect(success).toBe(false);
    expect(message).toMatch(/^There is no request ".{0,1000}\.$/);
  }
});

test("a message in pieces, and two in one", async () => {
  const [first, second] = [request(1, "initialize", {}), request(2, "threads")];
  const bytes = Buffer.from(first + second);
  for (const [from, to] of [
    [0, 5],
    [5, 20],
    [20, 40],
    [40, bytes.length],
  ] as const) {
    adapter.stdin.write(bytes.subarray(from, to));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect((await answerTo(1)).success).toBe(true);
  expect((await answerTo(2)).success).toBe(true);
});
