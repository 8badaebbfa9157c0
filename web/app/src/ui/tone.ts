/** An avatar's letters and colour. */

const tones = 12 // as many as tokens.css has

/** tone is the colour of somebody: the same on each device, for it is made of the id (FNV-1a). */
export function tone(id: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  return ((hash ^ (hash >>> 15)) >>> 0) % tones
}

const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** initials are the first characters, as readers count them, of the first and the last word of a name. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word))
  const first = (word: string | undefined) => (word ? ([...segments.segment(word.replace(/^[^\p{L}\p{N}]+/u, ''))][0]?.segment.toLocaleUpperCase() ?? '') : '')
  return first(words[0]) + (words.length > 1 ? first(words.at(-1)) : '')
}
