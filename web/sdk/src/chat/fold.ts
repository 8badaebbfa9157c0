/** foldText is a text without regard to case and accents, as it is looked for. "Ångström, GROẞ" and "angstrom, gross" fold to the same. */
export function foldText(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text.toLowerCase() // most texts, and no tables needed
  return text.normalize('NFKD').replace(/\p{M}+/gu, '').toLowerCase().replaceAll('ß', 'ss')
}

/** wordsOf are the words of a folded text: runs of letters and digits. */
export function wordsOf(folded: string): string[] {
  return folded.match(/[\p{L}\p{N}]+/gu) ?? []
}
