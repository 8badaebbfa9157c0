import fc from 'fast-check'
import type { ChannelLog } from './channel.ts'

/** Step is one thing that people do in a channel; numbers choose among what is there. */
export type Step = readonly [what: string, who: number, which: number, how: number]

export const steps = (...what: string[]): fc.Arbitrary<Step> => fc.tuple(fc.constantFrom(...what), fc.nat(3), fc.nat(), fc.nat())

export const doings = ['post', 'post', 'post', 'reply', 'reply', 'edit', 'remove', 'react', 'react', 'unreact', 'pin', 'join', 'seal']

const people = ['ada', 'bob', 'cyd', 'dan']
const emoji = ['+1', 'tada', 'eyes']

let texts = 0

/** act does a step in the channel, as far as it can be done. */
export function act(log: ChannelLog, [what, who, which, how]: Step): void {
  const user = people[who % people.length] ?? ''
  const offsets = [...log.said.keys()]
  const at = offsets[which % Math.max(1, offsets.length)] ?? 0
  const text = `text ${++texts}`
  switch (what) {
    case 'post':
      log.post(user, text)
      return
    case 'reply':
      log.post(user, text, { root: at, also: how % 3 === 0 })
      return
    case 'edit':
      log.edit(user, at, text)
      return
    case 'remove':
      log.remove(user, at)
      return
    case 'react':
    case 'unreact':
      log.react(user, at, emoji[how % emoji.length] ?? '', what === 'unreact')
      return
    case 'pin':
      log.pin(user, at, how % 2 === 0)
      return
    case 'join':
      log.join(user)
      return
    case 'seal':
      log.sealed = at
  }
}
