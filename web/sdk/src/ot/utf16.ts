export const isHigh = (unit: number) => (unit & 0xfc00) === 0xd800
export const isLow = (unit: number) => (unit & 0xfc00) === 0xdc00

/** cutsPair reports that a place is within a surrogate pair. */
export function cutsPair(text: string, at: number): boolean {
  return at > 0 && at < text.length && isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1))
}

/** bytesOf is how many bytes a text of whole pairs takes in UTF-8. */
export function bytesOf(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x80) bytes += unit < 0x800 || (unit & 0xf800) === 0xd800 ? 1 : 2
  }
  return bytes
}
