/** The host's linear pages as last translated, each translated again only after one of its tables was written. */
import {
  type MachineMemory,
  PAGE_SIZE,
  type PagingContext,
  PagingMode,
  Translator,
} from "../emulator/index.ts";
import type { TableCache } from "./table-cache.ts";
import { hostFormat, rootAddress, type TableFormat } from "./table-format.ts";

const PAGE = BigInt(PAGE_SIZE);

export class LinearPages {
  private readonly translator: Translator;
  private readonly cache: TableCache;
  /** By linear page; undefined where it is not mapped. */
  private readonly pages = new Map<bigint, number | undefined>();
  private format: TableFormat | undefined;
  private cr3 = 0n;
  private generation = 0;

  constructor(memory: MachineMemory, cache: TableCache) {
    this.translator = new Translator(memory);
    this.cache = cache;
  }

  /** Host-physical address of a linear one; undefined where it is not mapped. */
  physical(linear: bigint, paging: PagingContext): number | undefined {
    const format = hostFormat(paging);
    const hasRegisters = paging.pdptes !== undefined && format?.mode === PagingMode.pae;
    if (format === undefined || hasRegisters) return this.translate(linear, paging);
    const { cr3 } = paging;
    if (this.format !== format || this.cr3 !== cr3 || this.generation !== this.cache.generation) {
      this.pages.clear();
      this.format = format;
      this.cr3 = cr3;
      this.generation = this.cache.generation;
    }
    const number = linear / PAGE;
    if (!this.pages.has(number)) this.pages.set(number, this.walked(number * PAGE, paging, format));
    const page = this.pages.get(number);
    return page === undefined ? undefined : page + Number(linear % PAGE);
  }

  private translate(linear: bigint, paging: PagingContext): number | undefined {
    const found = this.translator.linear(linear, paging);
    return found.kind === "page" ? found.physical : undefined;
  }

  /** The tables on the way are in the cache from then on, and so are watched. */
  private walked(page: bigint, paging: PagingContext, format: TableFormat): number | undefined {
    const found = this.translator.linear(page, paging);
    for (const { level, address } of found.levels) {
      const isRoot = level === format.mode;
      const table = isRoot ? rootAddress(format, paging.cr3) : address - (address % PAGE_SIZE);
      this.cache.table(format, level, table);
    }
    return found.kind === "page" ? found.physical : undefined;
  }
}
