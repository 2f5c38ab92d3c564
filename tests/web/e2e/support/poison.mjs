// Damaging batches of a stopped gateway that it has not sent yet: one as a disk would, which the gateway
// itself finds, and one whose checksum fits again, as a defect in whoever wrote it would leave it, which
// only the cloud finds.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** CRC-32C (RFC 3720, appendix B.4), bit by bit: a few frames are no hurry. */
function crc32c(octets) {
  let crc = 0xffffffff;
  for (const octet of octets) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Frame = 5 octets, the last two of them the header's length; header; body; checksum. */
function damaged(frame, signed) {
  const body = 5 + frame.readUInt16LE(3);
  const end = frame.length - 4;
  frame[body] ^= 0x10;
  if (signed) frame.writeUInt32LE(crc32c(frame.subarray(0, end)), end);
  return frame;
}

function sqlite(file, sql) {
  return execFileSync('sqlite3', [file, sql], { encoding: 'utf8' }).trim();
}

/** Damages the two newest batches in the history of a gateway that does not run. */
export function poison(folder) {
  const history = join(folder, 'history');
  const days = readdirSync(history).filter((name) => /^\d{4}-\d{2}-\d{2}\.db$/.test(name));
  const file = join(history, days.sort().at(-1));
  const rows = sqlite(file, 'SELECT id, hex(frame) FROM batch ORDER BY id DESC LIMIT 2').split('\n');
  if (rows.length < 2) throw new Error(`there are fewer than two batches in ${file}`);
  rows.forEach((row, i) => {
    const [id, hex] = row.split('|');
    const frame = damaged(Buffer.from(hex, 'hex'), i === 1).toString('hex');
    sqlite(file, `UPDATE batch SET frame = x'${frame}' WHERE id = ${id}`);
  });
}
