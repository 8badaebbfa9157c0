/**
 * The seam of modules: a module is a folder with a module.ts that exports `manifest`. All that a manifest names is loaded when it is needed, but for the manifest itself: keep
 * it small, and reach the rest by import(). modules.ts finds the folders; PLENUM_WITHOUT=search,inbox leaves some out of a build.
 */
import type { Component } from 'solid-js'
import type { Id, Model } from './model/model.ts'
import type { Params } from './shell/paths.ts'

/** Manifest is what a module adds to the application. */
export interface Manifest {
  /** That of its folder. */
  readonly name: string
  readonly routes?: readonly Route[]
  /** Links at the top of the sidebar, in the order of modules. */
  readonly places?: readonly Place[]
  readonly commands?: readonly Command[]
  readonly panels?: readonly Panel[]
  readonly search?: readonly SearchProvider[]
  readonly cards?: readonly Card[]
}

type Load<P extends object> = () => Promise<{ readonly default: Component<P> }>

export interface ScreenProps<P extends object = Readonly<Record<string, string>>> {
  readonly params: P
}

/** Route is a screen at a path; `panel` is what the path shows beside it. Made by route(). */
export interface Route {
  /** "/c/:channel". */
  readonly path: string
  /** Paths with the same `screen` keep it: it is given other params. */
  readonly screen: Load<ScreenProps>
  readonly panel?: Load<PanelProps> | undefined
  /** The channel that a path is in, which the sidebar marks. */
  readonly channel?: string
  /** What the page's title calls it, where neither a channel nor a place of the sidebar does. */
  readonly title?: () => string
}

/** route makes a route whose screen has the params that its path names. */
export function route<P extends string>(path: P, screen: Load<ScreenProps<Params<P>>>, panel?: Load<PanelProps<Params<P>>>): Route {
  return { path, screen: screen as Load<ScreenProps>, panel: panel as Load<PanelProps> | undefined }
}

/** Place is a link of the sidebar. */
export interface Place {
  readonly path: string
  readonly icon: string
  readonly title: () => string
  /** What waits there; 0: nothing. */
  readonly count?: (model: Model) => number
  /** What of it no channel's count has: the number in the page's title counts it too. */
  readonly beside?: (model: Model) => number
  /** It stands above the others. */
  readonly first?: boolean
}

/** Command is something that can be done: by the palette, and by its keys. */
export interface Command {
  /** "chat.markRead": unique. */
  readonly id: string
  readonly group: 'go' | 'view' | 'do' | 'help'
  readonly title: () => string
  readonly icon?: string
  /** Chords, as in ui/chord.ts; the first is shown. */
  readonly keys?: readonly string[]
  /** Words by which it is also found. */
  readonly words?: string
  /** Whether it can be done now. Absent: always. */
  readonly when?: (shell: Shell) => boolean
  readonly run: (shell: Shell) => void
}

export interface PanelProps<P extends object = Readonly<Record<string, string>>> extends ScreenProps<P> {
  readonly onClose: () => void
}

/** Panel is something that Shell.openPanel shows beside the screen. */
export interface Panel {
  readonly name: string
  readonly load: Load<PanelProps>
}

/** panel makes a panel whose params are those that it is opened with. */
export function panel<P extends object>(name: string, load: Load<PanelProps<P>>): Panel {
  return { name, load: load as unknown as Load<PanelProps> }
}

/** Candidate is what a search provider knows at once; the palette finds the words in it. */
export interface Candidate {
  readonly id: string
  readonly title: string
  /** Shown behind the title, and searched too. */
  readonly detail?: string
  readonly icon?: string
  /** Of a person: shown as an avatar. */
  readonly person?: Id
  readonly keys?: string | undefined
  /** Which letters of the title are marked; of what `search` has found. */
  readonly at?: readonly number[]
  /** What goes first among the same: higher is more. 0 to 10. */
  readonly weight?: number
  readonly run: (shell: Shell) => void
}

export interface SearchProvider {
  readonly id: string
  readonly title: () => string
  /** Its candidates are shown as long as nothing is typed, in their order, above the others. */
  readonly idle?: boolean
  /** Known at once. */
  readonly candidates?: (model: Model, shell: Shell) => readonly Candidate[]
  /** Asked for elsewhere: asked with each letter, aborted by the next one. Shown in its order, below what is known at once, as it comes. */
  readonly search?: (words: string, model: Model, signal: AbortSignal) => Promise<readonly Candidate[]>
}

/** Card shows what a link in a message leads to, below the message: in a frame of 5 rem height. Of one link the first that matches is shown. */
export interface Card {
  /** Asked of each link of each message: it is to be quick. */
  readonly matches: (url: URL) => boolean
  readonly load: Load<{ readonly url: URL }>
}

/** Shell is what modules ask of what is around them. */
export interface Shell {
  readonly model: Model
  readonly registry: Registry
  /** The path without origin; a signal. */
  readonly path: () => string
  /** What stands behind the path, without "?"; a signal. */
  readonly query: () => string
  /** The channel that the screen is in; a signal. */
  readonly channel: () => Id | undefined
  go(path: string, options?: { readonly replace?: boolean }): void
  openPanel(name: string, params?: Readonly<Record<string, string>>): void
  /** Closes what is open beside the screen, and gives the focus back. */
  closePanel(): void
  readonly panelOpen: () => boolean
  openPalette(words?: string): void
  /** A dialog that is loaded first. */
  openDialog(load: Load<{ readonly onClose: () => void }>): void
}

/** Registry is all that the modules add together. */
export interface Registry {
  readonly routes: readonly Route[]
  readonly places: readonly Place[]
  readonly commands: readonly Command[]
  readonly panels: readonly Panel[]
  readonly search: readonly SearchProvider[]
  readonly cards: readonly Card[]
}

/** register puts manifests together. Two commands of one id, two panels of one name and two chords that are the same are mistakes. */
export function register(manifests: readonly Manifest[]): Registry {
  const all = <T>(of: (manifest: Manifest) => readonly T[] | undefined) => manifests.flatMap((manifest) => of(manifest) ?? [])
  const registry: Registry = {
    routes: all((m) => m.routes),
    places: [...all((m) => m.places)].sort((a, b) => Number(b.first ?? false) - Number(a.first ?? false)),
    commands: all((m) => m.commands),
    panels: all((m) => m.panels),
    search: all((m) => m.search),
    cards: all((m) => m.cards),
  }
  unique('route', registry.routes.map((r) => r.path))
  unique('command', registry.commands.map((c) => c.id))
  unique('chord', registry.commands.flatMap((c) => c.keys ?? []))
  unique('panel', registry.panels.map((p) => p.name))
  return registry
}

function unique(what: string, names: readonly string[]): void {
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new Error(`two modules have the ${what} ${twice}`)
}
