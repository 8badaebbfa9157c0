/**
 * What a text may ask of the parser. Its time grows with marks and lines, faster than they do, and with how deep they stand in each other, so that 16 KiB
 * of the right ones take it a minute. Each bound is counted in one pass before anything is parsed; what is beyond one is shown as it stands.
 */

/** mostCost is how much may be spent on a text: 50 ms or so. A mark costs one, what begins a quote or an item two, a line more, by how far inside it stands; a line of code costs little, whatever it says. */
export const mostCost = 1_200
const costOfLine = 3
const costOfMarker = 2
const columnsForOne = 8
const costOfCode = 0.4

/** mostLength is how long it may be: twice what the service takes. */
const mostLength = 32 * 1024

/** mostMarkers is how many quotes and lists one line may begin, and mostColumns how far inside one may begin: together, how deep they stand in each other. */
export const mostMarkers = 12
export const mostColumns = 40

/** mostCells is how many columns a table may have: a browser lays out all of them in each row. */
export const mostCells = 64

/** Whatever may be the beginning or the end of something within a line, or a name: of which each becomes an element. */
const marks = /[`*_[\]<>|~@&\\]|#+|:\/\/|www\./gi

/** For these the parser reads a paragraph to its end, or again from its beginning, for each of them: they cost one more for so many characters of it. */
const far = /`+|[\]<]/g
const charactersForOne = 400

/**
 * Behind a bracket the parser walks back to it from each word, in case it stands in a link, where no address becomes one (previousUnbalanced in
 * micromark-extension-gfm-autolink-literal): they cost by the square of their number.
 */
const walking = /[A-Za-z0-9+\-._]+/g
const walkedForOne = 2_000

/** The quotes and lists that a line begins, behind blanks; a rule (`- - -`) looks the same. */
const marker = /[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t]))/y

const fence = /^(`{3,}(?=[^`]*$)|~{3,})/

/** isBounded says whether a text may be parsed, for no more than `most`. */
export function isBounded(text: string, most = mostCost): boolean {
  return costOf(text, most) <= most
}

/** costOf is what a text asks of the parser; Infinity: more than `most`. */
export function costOf(text: string, most = mostCost): number {
  if (text.length > mostLength) return Infinity
  let cost = 0
  let code: string | undefined // the fence that has to be closed
  let html = false // what looks like a fence may be HTML from here on
  let length = 0 // of the paragraph so far, and how many of its marks reach through it
  let reaching = 0
  let walked: number | undefined // its words behind its first bracket
  const end = () => {
    cost += (reaching * length) / charactersForOne + (walked ?? 0) ** 2 / walkedForOne
    length = reaching = 0
    walked = undefined
  }
  for (const line of lines(text)) {
    const opening = code === undefined && !html ? fence.exec(line)?.[1] : undefined
    if (code !== undefined) {
      cost += costOfCode
      if (closes(line, code)) code = undefined
    } else if (opening !== undefined) {
      end()
      cost += costOfLine
      code = opening
    } else {
      html ||= line.includes('<')
      const begun = markers(line)
      const found = line.match(marks) ?? []
      if (begun > mostMarkers || (line.includes('-') && found.filter((mark) => mark === '|').length > mostCells)) return Infinity
      if (begins.test(line)) end()
      length += line.length
      reaching += line.match(far)?.length ?? 0
      const behind = walked === undefined ? (line.includes('[') ? line.slice(line.indexOf('[')) : undefined) : line
      if (behind !== undefined) walked = (walked ?? 0) + (behind.match(walking)?.length ?? 0)
      cost += costOfLine + Math.min(columns(blank.exec(line)?.[0] ?? ''), mostColumns) / columnsForOne + costOfMarker * begun + found.length
    }
    if (cost > most) return Infinity
  }
  end()
  return cost <= most ? cost : Infinity
}

const blank = /^[ \t]*/

/** A paragraph surely ends where a line is blank or begins a list. */
const begins = /^(?:[ \t]*$| {0,3}[-+*][ \t]+\S)/

function* lines(text: string): Generator<string> {
  for (let from = 0; from <= text.length; ) {
    const end = /\r\n?|\n/g
    end.lastIndex = from
    const found = end.exec(text)
    yield text.slice(from, found?.index ?? text.length)
    from = found ? end.lastIndex : text.length + 1
  }
}

/** markers counts those that a line begins; one that stands too far inside counts for too many. */
function markers(line: string): number {
  let n = 0
  marker.lastIndex = 0
  for (let found = marker.exec(line); found; found = marker.exec(line)) {
    if (++n > mostMarkers || columns(line.slice(0, marker.lastIndex)) > mostColumns) return mostMarkers + 1
  }
  return n
}

function columns(blank: string): number {
  let n = 0
  for (const character of blank) n += character === '\t' ? 4 : 1
  return n
}

function closes(line: string, opening: string): boolean {
  const found = /^ {0,3}(`+|~+)[ \t]*$/.exec(line)?.[1]
  return found !== undefined && found[0] === opening[0] && found.length >= opening.length
}
