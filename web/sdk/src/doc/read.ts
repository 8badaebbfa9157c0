import { concat, Document, empty } from '../ot/index.ts'
import { deltaOf } from './record.ts'
import type { Cursor, Transport } from './transport.ts'

/** readTries is how often a document is read anew whose parts don't make a whole. */
const readTries = 3

/**
 * read reads a document's content of a version, 0: the newest, part by part, and holds it to its hash. It gives the cursor to follow the document's
 * topic from, too.
 */
export async function read(transport: Transport, document: string, version: number, signal: AbortSignal): Promise<{ content: Document; at: Cursor }> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt(transport, document, version, signal)
    } catch (e) {
      if (!(e instanceof IncompleteError) || tries === readTries) throw e
    }
  }
}

/** IncompleteError says that what the server said of a document is none. */
class IncompleteError extends Error {
  override readonly name = 'IncompleteError'
}

async function attempt(transport: Transport, document: string, version: number, signal: AbortSignal): Promise<{ content: Document; at: Cursor }> {
  let whole = empty
  let length = 0
  for (;;) {
    const part = await transport.read(document, version, length, signal)
    try {
      const delta = deltaOf(part.delta)
      version = part.version
      whole = concat(whole, delta)
      length += delta.length
      if (part.more && !delta.isEmpty && length < part.length) continue
      const content = Document.of(whole)
      const hash = content.hash()
      if (!part.more && content.length === part.length && part.hash.length === hash.length && part.hash.every((b, i) => b === hash[i])) {
        return { content, at: { epoch: part.epoch, offset: version } }
      }
    } catch (cause) {
      throw new IncompleteError(`what the server says of document ${document} can't be read`, { cause })
    }
    throw new IncompleteError(`version ${version} of document ${document} did not come whole: it has another hash`)
  }
}
