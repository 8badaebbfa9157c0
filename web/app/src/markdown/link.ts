/** Where a link may lead. Whatever else there is (javascript:, data:, blob:, other programs' own) is no link. */
const schemes = new Set(['http:', 'https:', 'mailto:'])

/** looksLikeHost finds a host in a link's text: what its reader believes to come to. */
const looksLikeHost = /^\s*(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^\s/@]*@)?((?:[\p{L}\p{N}-]+\.)+[\p{L}\p{N}-]{2,})(?::\d+)?(?=[/?#\s]|$)/iu

/**
 * destination is where a link leads, and undefined where it leads nowhere safe. `host` is set where the text names another host than that to which it
 * leads, or where that one is written in letters beyond ASCII, of which many look like others (its punycode is shown then).
 */
export function destination(url: string, text: string): { href: string; host?: string } | undefined {
  let to: URL
  try {
    to = new URL(url)
  } catch {
    return undefined // relative ones, too: a message stands nowhere
  }
  if (!schemes.has(to.protocol)) return undefined
  if (to.protocol === 'mailto:') return { href: to.href }
  const said = looksLikeHost.exec(text)?.[1]
  const host = to.hostname
  const other = said !== undefined && hostOf(said) !== host
  const disguised = host.includes('xn--') || to.username !== '' || to.password !== ''
  return other || disguised ? { href: to.href, host } : { href: to.href }
}

function hostOf(name: string): string {
  try {
    return new URL(`http://${name}`).hostname
  } catch {
    return name
  }
}
