/**
 * own is bytes that keep nothing else in memory. What is read of a message is a view of all of it, and who stores or posts that (structured clone) takes the whole
 * message along.
 */
export function own(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice()
}
