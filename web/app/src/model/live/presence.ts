import { encode, type Following, type Session } from '@plenum/sdk'
import { Device, Entry, People } from '@plenum/sdk/proto/plenum/presence/v1/presence.ts'
import { createRoot, createSignal, getOwner, onCleanup, type Accessor, type Setter } from 'solid-js'
import type { Id, Presence } from '../model.ts'
import { stateName } from './names.ts'
import { mostPeople } from './shared.ts'

/** How long it waits for further people before they are asked for, in ms. */
const wait = 150

const unknown: Presence = { state: 'unknown', mobile: false, emoji: '', text: '' }

interface Watched {
  readonly presence: Accessor<Presence>
  readonly set: Setter<Presence>
  users: number
}

/** Watching is who of the people on the screen is here: it follows those alone who are looked at. */
export class Watching {
  readonly #session: Session
  readonly #people = new Map<Id, Watched>()
  #following: Following | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #shown = ''

  constructor(session: Session) {
    this.#session = session
  }

  /** of is how somebody is, kept up to date as long as the component that asks is there. */
  of(id: Id): Presence {
    const watched = this.#people.get(id) ?? this.#add(id)
    if (getOwner() !== null) {
      watched.users++
      onCleanup(() => {
        watched.users--
        this.#later()
      })
    }
    return watched.presence()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#following?.close()
  }

  #add(id: Id): Watched {
    const watched = createRoot(() => {
      const [presence, set] = createSignal(unknown)
      return { presence, set, users: 0 }
    })
    this.#people.set(id, watched)
    this.#later()
    return watched
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#look()
    }, wait)
  }

  #look(): void {
    for (const [id, watched] of this.#people) if (watched.users === 0) this.#people.delete(id)
    const users = [...this.#people.keys()].slice(-mostPeople).sort()
    if (users.join() === this.#shown) return
    this.#shown = users.join()
    const old = this.#following
    this.#following = undefined
    old?.close()
    if (users.length === 0) return
    this.#following = this.#session.follow(
      'presence.people/me',
      (update) => {
        if (update.kind !== 'view') return
        const told = new Set(update.entries.map((entry) => entry.key))
        if (update.snapshot) for (const [id, watched] of this.#people) if (!told.has(id)) watched.set(unknown)
        for (const entry of update.entries) this.#people.get(entry.key)?.set(entry.removed ? unknown : presenceOf(entry.body))
      },
      { params: encode(People, { users }) },
    )
  }
}

function presenceOf(body: Uint8Array): Presence {
  const { status } = Entry.decode(body)
  if (status === undefined) return unknown
  const { state, devices, custom } = status
  return { state: stateName(state), mobile: devices.length === 1 && devices[0] === Device.MOBILE, emoji: custom?.emoji ?? '', text: custom?.text ?? '' }
}
