// Public ids (docs/formats/identifiers.md).

const LETTERS = "0123456789abcdefghjkmnpqrstvwxyz";

/** The UUID that a well-formed public id stands for. */
export function uuidOf(publicId) {
  const letters = publicId.slice(publicId.indexOf("_") + 1);
  const bits = [...letters].reduce((sum, letter) => sum * 32n + BigInt(LETTERS.indexOf(letter)), 0n);
  const digits = bits.toString(16).padStart(32, "0");
  return [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]].map(([from, to]) => digits.slice(from, to)).join("-");
}
