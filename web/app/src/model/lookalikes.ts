/** Names that look the same at a glance, whatever letters they are written in: who is called so is told by their handle, too. */

/**
 * What looks like another letter, and isn't made that by Unicode's own folding: of Cyrillic, Greek, Armenian, of Latin beyond ASCII, and within ASCII. A short form of
 * Unicode's confusables (UTS #39), made so that two that look alike come out the same; that some come out the same that don't costs no more than a handle shown.
 */
const alike = new Map(
  [
    'aаɑαΑАᴀ', 'bЬьƄВвΒβᏴʙ', 'cсСϲϹᴄ', 'dԁԀɗᴅ', 'eеЕɛΕєЄᴇҽ', 'fƒϜғҒ', 'gɡԌԍɢ', 'hһҺНнΗհʜ', 'jјЈʝᴊ', 'kкКΚκᴋ', 'mмМΜᴍ', 'nпΝηոɴ', 'o0оОοΟօՕσᴏ', 'pрРρΡᴘ', 'qԛԚգ',
    'rгɾʀ', 'sѕЅՏꜱ', 'tтТΤτᴛ', 'uυսʊᴜ', 'vνѵѴᴠ', 'wԝԜωшᴡ', 'xхХχΧ', 'yуУүҮγΥʏ', 'zΖᴢ', 'lIiıіІιΙ1|ӏӀɩɪǀʟ', "'’‘ʼʹ`´′", '-‐‑‒–—−', '.·․',
  ].flatMap(([like = '', ...others]) => others.map((other) => [other, like] as const)),
)

const known = new Map<string, string>() // a workspace's names are asked for anew whenever one of them changes
const kept = 10_000 // the newest; one more takes the place of the oldest

/** lookOf is what a name looks like: the same for two that are easily taken for each other. */
export function lookOf(name: string): string {
  let look = known.get(name)
  if (look === undefined) {
    look = made(name)
    if (known.size >= kept) known.delete(known.keys().next().value ?? '')
    known.set(name, look)
  }
  return look
}

function made(name: string): string {
  const plain = name.normalize('NFKD').replace(/[\u0300-\u036f\u0483-\u0489]/g, '') // accents: they are overlooked
  const letters = (text: string) => Array.from(text, (letter) => alike.get(letter) ?? letter).join('')
  return letters(letters(plain).toLowerCase()).replace(/rn/g, 'm').replace(/vv/g, 'w').replace(/\s+/g, ' ').trim()
}
