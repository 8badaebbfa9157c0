import { createContext, useContext } from 'solid-js'
import type { Shell } from '../module.ts'

const Context = createContext<Shell>()

export const ShellProvider = Context.Provider

/** useShell is the shell around. */
export function useShell(): Shell {
  const shell = useContext(Context)
  if (!shell) throw new Error('no ShellProvider around')
  return shell
}
