/** An avatar's letters and colour. */

const tones = 12 // as many as tokens.css has

/** tone is the colour of somebody: the same on each device, for it is made of the id (FNV-1a, and MurmurHash3's finalizer, since ids differ in a few characters only). */
export function tone(id: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % tones
}

const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** initials are the first characters, as readers count them, of the first and the last word of a name. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word))
  const first = (word: string | undefined) => (word ? ([...segments.segment(word.replace(/^[^\p{L}\p{N}]+/u, ''))][0]?.segment.toLocaleUpperCase() ?? '') : '')
  return first(words[0]) + (words.length > 1 ? first(words.at(-1)) : '')
}
