/** The named characters that Markdown knows here: those that people type. All others stand as they were written; what has a number needs no name. */
const named: Readonly<Record<string, string>> = {
  amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', copy: '©', reg: '®', trade: '™', deg: '°', plusmn: '±', times: '×', divide: '÷', middot: '·', bull: '•',
  hellip: '…', ndash: '–', mdash: '—', laquo: '«', raquo: '»', lsquo: '‘', rsquo: '’', ldquo: '“', rdquo: '”', euro: '€', pound: '£', yen: '¥', cent: '¢', sect: '§', para: '¶',
  larr: '←', rarr: '→', uarr: '↑', darr: '↓', harr: '↔', le: '≤', ge: '≥', ne: '≠', infin: '∞', check: '✓', cross: '✗', half: '½', frac12: '½', frac14: '¼', hearts: '♥', star: '☆',
}

/** decodeNamedCharacterReference is the character of a name, without & and ;. It stands in for the package of this name (vite.config.ts). */
export function decodeNamedCharacterReference(value: string): string | false {
  return (Object.hasOwn(named, value) && named[value]) || false
}
