// The restricted zip of a bundle (docs/formats/bundle.md): nothing in it that two readers could see
// differently. Anything else is refused.

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const MOST = 64;
const NAME = /^[a-z0-9][a-z0-9.-]{0,63}$/;

export class NotPlainZip extends Error {}

/** The files in the zip by name, in its order. Throws NotPlainZip. */
export function unzip(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return files(bytes, view);
  } catch (error) {
    if (error instanceof RangeError) refuse("the zip ends too early");
    throw error;
  }
}

function files(bytes, view) {
  const { start, end, count } = endOf(view);
  const found = new Map();
  let [central, local] = [start, 0];
  for (let number = 0; number < count; number += 1) {
    const entry = centralEntry(bytes, view, central);
    if (found.has(entry.name)) refuse("a name stands twice in the zip");
    if (entry.offset !== local) refuse("the zip has gaps, or its order is another than its directory's");
    const content = localContent(bytes, view, local, entry);
    found.set(entry.name, content);
    central += CENTRAL_BYTES + entry.name.length;
    local += LOCAL_BYTES + entry.name.length + content.length;
  }
  if (central !== end || local !== start) refuse("the zip holds more than its directory says");
  return found;
}

/** Where the central directory is, by the record that ends the zip. */
function endOf(view) {
  const end = view.byteLength - END_BYTES;
  const [own, first, here, count] = [4, 6, 8, 10].map((at) => view.getUint16(end + at, true));
  const [size, start] = [12, 16].map((at) => view.getUint32(end + at, true));
  const isPlain =
    view.getUint32(end, true) === END && own === 0 && first === 0 && here === count && count <= MOST &&
    start + size === end && view.getUint16(end + 20, true) === 0;
  if (!isPlain) refuse("the zip does not end as prescribed");
  return { start, end, count };
}

// Flags, method, CRC-32, both sizes and the lengths of name and extra field stand side by side in both headers, in
// the central one two bytes later.
function common(bytes, view, at, header) {
  const [flags, method] = [6, 8].map((place) => view.getUint16(at + place, true));
  const [crc, packed, size] = [14, 18, 22].map((place) => view.getUint32(at + place, true));
  const [length, extra] = [26, 28].map((place) => view.getUint16(at + place, true));
  if (flags !== 0 || method !== 0 || extra !== 0 || packed !== size) refuse("an entry is not merely stored");
  if (header + length > bytes.length) refuse("the zip ends too early");
  const name = String.fromCharCode(...bytes.subarray(header, header + length));
  if (!NAME.test(name)) refuse("a name is not as prescribed");
  return { name, crc, size };
}

function centralEntry(bytes, view, at) {
  if (view.getUint32(at, true) !== CENTRAL) refuse("the zip's directory cannot be read");
  const [comment, disk] = [32, 34].map((place) => view.getUint16(at + place, true));
  if (comment !== 0 || disk !== 0) refuse("an entry has a comment or is on another disk");
  return { ...common(bytes, view, at + 2, at + CENTRAL_BYTES), offset: view.getUint32(at + 42, true) };
}

function localContent(bytes, view, at, { name, crc, size }) {
  if (view.getUint32(at, true) !== LOCAL) refuse("an entry cannot be read");
  const local = common(bytes, view, at, at + LOCAL_BYTES);
  if (local.name !== name || local.crc !== crc || local.size !== size) {
    refuse("an entry is another than the zip's directory says");
  }
  const start = at + LOCAL_BYTES + name.length;
  const content = bytes.subarray(start, start + size);
  if (content.length !== size || crc32(content) !== crc) refuse("an entry is damaged");
  return content;
}

function refuse(why) {
  throw new NotPlainZip(why);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = (value >>> 8) ^ TABLE[(value ^ byte) & 0xff];
  return (value ^ 0xffffffff) >>> 0;
}
