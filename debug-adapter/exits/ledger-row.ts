/** A row of the exit ledger as the protocol tells it. */
import { describeExitInfo, type ExitRow, exitName } from "../../emulator/index.ts";
import type { Images } from "../images.ts";
import type { ExitLedgerRow } from "../protocol.ts";
import { hex } from "../text.ts";

export function ledgerRow(row: ExitRow, images: Images): ExitLedgerRow {
  const { number, guest, cost, at, info1, info2, guestRip } = row;
  const symbol = images.nameOf("guest", guestRip);
  return {
    number,
    reason: exitName(row.code),
    exitinfo1: hex(info1),
    exitinfo2: hex(info2),
    info: describeExitInfo({ code: BigInt(row.code), info1, info2, rcx: BigInt(row.ecx) }),
    rip: hex(guestRip),
    ...(symbol === undefined ? {} : { symbol }),
    guest,
    icount: at.icount,
    ...(cost === undefined ? {} : { cost }),
  };
}
