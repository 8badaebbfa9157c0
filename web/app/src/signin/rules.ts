/** What names and passwords have to be, as the identity service wants them: said before it is asked. */

const bytes = new TextEncoder()

export function slugIsRight(slug: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,38}[a-z0-9]$/.test(slug)
}

export function handleIsRight(handle: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,30}[a-z0-9]$/.test(handle)
}

/** passwordFault: 'short' is less than 10 bytes, 'long' more than 256. */
export function passwordFault(password: string): 'short' | 'long' | undefined {
  const length = bytes.encode(password).length
  return length < 10 ? 'short' : length > 256 ? 'long' : undefined
}

/** suggestSlug is an address made of a name; '': there is none in it. */
export function suggestSlug(name: string): string {
  return plain(name).replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 40).replace(/-+$/, '')
}

/** suggestHandle is a handle made of a name: "Ada Lovelace" is "ada". */
export function suggestHandle(name: string): string {
  return plain(name.trim().split(/\s+/)[0] ?? '').replace(/[^a-z0-9]+/g, '').slice(0, 32)
}

function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}
