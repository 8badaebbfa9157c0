/**
 * The algebra of co-edited rich text: Quill's Delta as docs/ot has it, and a document under such edits. All lengths are UTF-16 code units; an embed
 * counts as one. Everything here is immutable but a Builder.
 *
 * Invariant: every Delta that a function here returns, parse and slice apart, is in normal form: neighbours that can be one operation are one, an
 * insert stands before a delete at the same place; and what compose, transform, invert and diff return does not end with a bare retain.
 *
 * Sources: docs/ot, to which it is held by recorded cases; and those that docs/ot names.
 */
export { Attributes } from './attributes.ts'
export { Builder } from './builder.ts'
export { compose, composeAll } from './compose.ts'
export { check, Delta, empty } from './delta.ts'
export { diff } from './diff.ts'
export { Document } from './document.ts'
export { Embed, noEmbeds, type EmbedHandler, type Embeds } from './embed.ts'
export { Kind, noOp, OtError } from './errors.ts'
export { invert } from './invert.ts'
export { defaultLimits, maxLength, unlimited, type Limits } from './limits.ts'
export type { Action, Op } from './op.ts'
export { parse, parseAttributes } from './parse.ts'
export { concat, normalised, slice } from './parts.ts'
export { hex, sha256 } from './sha256.ts'
export { earlier, later, rebase, transform, transformPosition } from './transform.ts'
