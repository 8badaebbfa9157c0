import { setTrustedTypesPolicy } from 'solid-js/web'

// The gateway's Content-Security-Policy has browsers refuse text where it would become HTML or the address of a script (require-trusted-types-for).
// Two policies are named there, and are made here, before anything else runs; who sets innerHTML to a string finds out at once.

type Rules = Readonly<Record<string, (text: string) => string>>
interface Factory {
  createPolicy(name: string, rules: Rules): { createHTML(text: string): string }
}

const factory = (globalThis as { trustedTypes?: Factory }).trustedTypes

// Solid's templates, which are what its compiler made of the sources: no text of a user's is in them.
if (factory) setTrustedTypesPolicy(factory.createPolicy('plenum', { createHTML: (text) => text }))

// Workers are named by a string in the sources of many; they are the application's own files, or refused.
factory?.createPolicy('default', {
  createScriptURL: (text) => {
    const url = new URL(text, location.href)
    if (url.origin === location.origin && (url.pathname === '/sw.js' || url.pathname.startsWith('/assets/'))) return text
    throw new TypeError(`${text} is no script of the application's`)
  },
})
