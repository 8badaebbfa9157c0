/** What is being completed in a composer: the word at the cursor that begins with @, # or :. */
export interface Asked {
  readonly sign: '@' | '#' | ':'
  readonly word: string
  readonly from: number
  readonly to: number
}

/** A sign behind nothing, a blank or a bracket, and some of what handles, names and emoji are made of. */
const open = /(?:^|[\s([{"'>])([@#:])([\p{L}\p{M}\p{N}._+-]*)$/u

/** How many characters a word has at least and at most. One of ":" is a smiley, and "#" alone begins a heading. */
const lengths = { '@': [0, 32], '#': [1, 64], ':': [2, 32] } as const

/** asked is what the text before the cursor asks for. */
export function asked(text: string, cursor: number): Asked | undefined {
  const found = open.exec(text.slice(Math.max(0, cursor - 66), cursor))
  if (!found) return undefined
  const [sign, word] = [found[1] as Asked['sign'], found[2] ?? '']
  const [least, most] = lengths[sign]
  if (word.length < least || word.length > most) return undefined
  return { sign, word, from: cursor - word.length - 1, to: cursor }
}

/** completed is the text with what was chosen in place of what was asked, and a blank behind it; and where the cursor stands then. */
export function completed(text: string, { from, to }: Asked, chosen: string): { readonly text: string; readonly cursor: number } {
  const behind = text.slice(to)
  const blank = behind.startsWith(' ') ? '' : ' '
  return { text: `${text.slice(0, from)}${chosen}${blank}${behind}`, cursor: from + chosen.length + 1 }
}

/** A code between colons, behind nothing, a blank or a bracket. */
const whole = /(?:^|[\s([{"'>]):([\w+-]{2,40}):$/

/** spelled is the code that has just been typed out before the cursor: ":tada:". */
export function spelled(text: string, cursor: number): Asked | undefined {
  const word = whole.exec(text.slice(Math.max(0, cursor - 50), cursor))?.[1]
  return word === undefined ? undefined : { sign: ':', word, from: cursor - word.length - 2, to: cursor }
}

/** wrapped puts marks around what is selected, or takes them away. */
export function wrapped(text: string, from: number, to: number, mark: string): { readonly text: string; readonly from: number; readonly to: number } {
  const n = mark.length
  if (text.slice(from - n, from) === mark && text.slice(to, to + n) === mark) {
    return { text: text.slice(0, from - n) + text.slice(from, to) + text.slice(to + n), from: from - n, to: to - n }
  }
  return { text: text.slice(0, from) + mark + text.slice(from, to) + mark + text.slice(to), from: from + n, to: to + n }
}

/** fenced is whether the cursor stands in a block of code that was begun before it and isn't ended. */
export function fenced(text: string, cursor: number): boolean {
  let fence = ''
  for (const line of text.slice(0, cursor).split('\n')) {
    const found = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line)
    const [, signs = '', rest = ''] = found ?? []
    if (fence === '') {
      if (signs !== '' && !(signs.startsWith('`') && rest.includes('`'))) fence = signs
    } else if (signs.startsWith(fence) && rest.trim() === '') fence = ''
  }
  return fence !== ''
}
