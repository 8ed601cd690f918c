// What is put right when this process ends: by itself, or by the SIGTERM that ends a worker of the tests.

const cleaners = new Set();

function cleanAll() {
  for (const clean of cleaners) clean();
  cleaners.clear();
}

/** Calls `clean` at the end of this process. Returns a function that takes it back. */
export function atEnd(clean) {
  if (!process.listeners("exit").includes(cleanAll)) listen();
  cleaners.add(clean);
  return () => void cleaners.delete(clean);
}

function listen() {
  process.on("exit", cleanAll);
  process.once("SIGTERM", () => {
    cleanAll();
    process.kill(process.pid, "SIGTERM");
  });
}
