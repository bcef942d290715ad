// Keccak-256 as Ethereum has it: FIPS 202's permutation, with the padding from before it.

const RATE = 136;
const MASK = (1n << 64n) - 1n;

// Offsets and order of the lanes that rho and pi walk through (FIPS 202, sections 3.2.2 and 3.2.3).
const WALK = [];
for (let [x, y, step] = [1, 0, 1]; step <= 24; step += 1) {
  WALK.push({ at: x + 5 * y, by: BigInt(((step * (step + 1)) / 2) % 64) });
  [x, y] = [y, (2 * x + 3 * y) % 5];
}

const CONSTANTS = roundConstants();

function roundConstants() {
  let state = 1;
  const bit = () => {
    const out = state & 1;
    state = state & 0x80 ? ((state << 1) ^ 0x171) : state << 1;
    return out;
  };
  return Array.from({ length: 24 }, () => {
    let constant = 0n;
    for (let power = 0; power < 7; power += 1) {
      if (bit()) constant |= 1n << ((1n << BigInt(power)) - 1n);
    }
    return constant;
  });
}

const turned = (lane, by) => ((lane << by) | (lane >> (64n - by))) & MASK;

function permute(lanes) {
  for (const constant of CONSTANTS) {
    const columns = [0, 1, 2, 3, 4].map((x) =>
      [0, 5, 10, 15, 20].reduce((sum, row) => sum ^ lanes[x + row], 0n),
    );
    for (let at = 0; at < 25; at += 1) {
      lanes[at] ^= columns[(at + 4) % 5] ^ turned(columns[(at + 1) % 5], 1n);
    }
    let carried = lanes[1];
    for (let step = 0; step < 24; step += 1) {
      const to = WALK[(step + 1) % 24].at;
      [carried, lanes[to]] = [lanes[to], turned(carried, WALK[step].by)];
    }
    for (let row = 0; row < 25; row += 5) {
      const old = lanes.slice(row, row + 5);
      for (let x = 0; x < 5; x += 1) lanes[row + x] = old[x] ^ (~old[(x + 1) % 5] & MASK & old[(x + 2) % 5]);
    }
    lanes[0] ^= constant;
  }
}

/** The digest of the bytes, 32 of them. */
export function keccak256(content) {
  const length = content.length + RATE - (content.length % RATE);
  const padded = new Uint8Array(length);
  padded.set(content);
  padded[content.length] ^= 0x01;
  padded[length - 1] ^= 0x80;
  const view = new DataView(padded.buffer);
  const lanes = new Array(25).fill(0n);
  for (let start = 0; start < length; start += RATE) {
    for (let lane = 0; lane < RATE / 8; lane += 1) lanes[lane] ^= view.getBigUint64(start + 8 * lane, true);
    permute(lanes);
  }
  const digest = new DataView(new ArrayBuffer(32));
  for (let lane = 0; lane < 4; lane += 1) digest.setBigUint64(8 * lane, lanes[lane], true);
  return new Uint8Array(digest.buffer);
}
