/** Before any test: MinVisor, the guests and the seeded bugs are built, once for all workers. */
import { buildAll } from "../../scripts/build-minvisor.mjs";

export const setup = (): void => void buildAll();
