/** Paths and their patterns. */

/** None: a path that names no params. */
type None = Readonly<Record<string, never>>

/** Params are those that a pattern names: of "/c/:channel" it is { channel }. */
export type Params<P extends string> = P extends `${string}:${infer Name}/${infer Rest}`
  ? { readonly [K in Name]: string } & Params<`/${Rest}`>
  : P extends `${string}:${infer Name}`
    ? { readonly [K in Name]: string }
    : None

/** match is the params of a path by a pattern; undefined: it is none of its. */
export function match(pattern: string, path: string): Readonly<Record<string, string>> | undefined {
  const want = segments(pattern)
  const have = segments(path)
  if (want.length !== have.length) return undefined
  const params: Record<string, string> = {}
  for (const [at, segment] of want.entries()) {
    const value = have[at] ?? ''
    if (!segment.startsWith(':')) {
      if (segment !== value) return undefined
      continue
    }
    if (value === '') return undefined // "//c/x": to a browser that is another server
    try {
      params[segment.slice(1)] = decodeURIComponent(value)
    } catch {
      return undefined // "%" that encodes nothing
    }
  }
  return params
}

/** href is the path of a pattern with these params. */
export function href<P extends string>(pattern: P, params: Params<P>): string {
  const values = params as Readonly<Record<string, string>>
  return `/${segments(pattern)
    .map((segment) => (segment.startsWith(':') ? encodeURIComponent(values[segment.slice(1)] ?? '') : segment))
    .join('/')}`
}

/** find is the first of several that matches, with its params. */
export function find<R extends { readonly path: string }>(routes: readonly R[], path: string): { readonly route: R; readonly params: Readonly<Record<string, string>> } | undefined {
  for (const route of routes) {
    const params = match(route.path, path)
    if (params) return { route, params }
  }
  return undefined
}

/** within says that a path is another one, or below it. */
export function within(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}/`)
}

function segments(path: string): readonly string[] {
  const inside = path.replace(/^\/|\/$/g, '')
  return inside === '' ? [] : inside.split('/')
}
