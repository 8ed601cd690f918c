/** Entry point of the adapter's own process: speaks the protocol on standard input and output. */
import { runAdapter } from "./run-adapter.ts";

runAdapter().then(() => process.exit(0));
