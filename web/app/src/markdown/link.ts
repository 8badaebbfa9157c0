/** Where a link may lead. Whatever else there is (javascript:, data:, blob:, other programs' own) is no link. */
const schemes = new Set(['http:', 'https:', 'mailto:'])

/** What shows nothing, or turns the direction of what follows: within a host's name nobody sees it. */
const ignorable = /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}]/gu
const turning = /[\u202A-\u202E\u2066-\u2069]/

/** What looks like a dot between letters, and is none by NFKC: full stops of other scripts, and the like. */
const dots = /(?<=[a-z0-9])[\u3002\u06D4\u0701\u0702\uA4F8\u2027\u00B7\u0660\u06F0](?=[a-z0-9])/gi

/** A host's name or address, with its port and path, wherever it stands: what its reader believes to come to. */
const hosts = /(?<![\p{L}\p{M}\p{N}.-])((?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?\.)+(?:\p{L}[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])|(?:\d{1,3}\.){3}\d{1,3}|localhost)(?![\p{L}\p{M}\p{N}])(?:(?::\d+)?[/?#]\S*)?/giu
const addresses = /[^\s@<>()[\]"',;:]+@[^\s@<>()[\]"',;:]*[\p{L}\p{N}]/gu

/** mostLooked is how much of a text is looked at, in characters: where a link's has more, its host is told anyway. */
const mostLooked = 1_000

/**
 * destination is where a link leads, and undefined where it leads nowhere safe. `host` is set where the text names another host, or another address of mail,
 * than that to which it leads, or where that one is written in letters beyond ASCII, of which many look like others (its punycode is shown then).
 */
export function destination(url: string, text: string): { href: string; host?: string } | undefined {
  let to: URL
  try {
    to = new URL(url)
  } catch {
    return undefined // relative ones, too: a message stands nowhere
  }
  if (!schemes.has(to.protocol)) return undefined
  const mail = to.protocol === 'mailto:'
  const disguised = to.hostname.includes('xn--') || to.username !== '' || to.password !== '' || turning.test(text) || text.length > mostLooked
  const other = disguised || (mail ? isOtherAddress : isOtherHost)(readable(text), to)
  return other ? { href: to.href, host: mail ? to.href.slice(to.protocol.length) : to.hostname } : { href: to.href }
}

/** readable is a text as it is read: with the letters that its characters look like, as far as Unicode says so, and nothing that isn't seen. */
function readable(text: string): string {
  return text.normalize('NFKC').replace(ignorable, '').replace(dots, '.')
}

function isOtherHost(text: string, to: URL): boolean {
  return Array.from(text.matchAll(hosts)).some(([, name = '']) => hostOf(name) !== to.hostname)
}

function isOtherAddress(text: string, to: URL): boolean {
  const own = to.pathname.toLowerCase()
  const named = text.match(addresses)
  if (named) return named.some((address) => address.toLowerCase() !== own)
  return Array.from(text.matchAll(hosts)).some(([, name = '']) => name.toLowerCase() !== own.slice(own.lastIndexOf('@') + 1))
}

function hostOf(name: string): string {
  try {
    return new URL(`http://${name}`).hostname
  } catch {
    return name
  }
}
