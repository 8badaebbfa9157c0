/** What the palette always finds: channels, people and commands. */
import { text as core } from '../../i18n/en.ts'
import { account, between, calls, channelName, counterparts, isUnread } from '../../model/context.ts'
import type { Channel, Model } from '../../model/model.ts'
import type { Candidate, SearchProvider, Shell } from '../../module.ts'
import { hashIcon, lockIcon, usersIcon } from '../../ui/icons.ts'
import { explain } from '../../i18n/refusals.ts'
import { toast } from '../../ui/toasts.ts'
import { recent } from '../recent.ts'
import { text } from './text.ts'

/** openPerson goes to the conversation with somebody, which is made where there is none. */
export function openPerson(shell: Shell, id: string): void {
  const known = shell.model.channels().find((channel) => channel.kind === 'direct' && counterparts(shell.model, channel)[0] === id)
  if (known) {
    shell.go(`/c/${known.id}`) // at once, and without the network
    return
  }
  shell.model.openDirect([id]).then(
    (channel) => shell.go(`/c/${channel}`),
    (error: unknown) => toast(core().toast.region, { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => openPerson(shell, id) } }),
  )
}

/** toChannel is a channel, or a conversation, as something to go to. */
function toChannel(model: Model, channel: Channel, more: Partial<Candidate> = {}): Candidate {
  const other = channel.kind === 'direct' ? counterparts(model, channel)[0] : undefined
  return {
    id: channel.id,
    title: channelName(model, channel),
    detail: channel.topic,
    icon: channel.kind === 'public' ? hashIcon : channel.kind === 'group' ? usersIcon : lockIcon,
    ...(other === undefined ? {} : { person: other }),
    run: (shell) => shell.go(`/c/${channel.id}`),
    ...more,
  }
}

export const providers: readonly SearchProvider[] = [
  {
    id: 'recent',
    title: () => text().recent,
    idle: true,
    // Where one was, the last place first; then conversations, as the sidebar has them: by what was said last.
    candidates: (model, shell) => {
      const there = recent().flatMap((id) => model.channel(id) ?? [])
      const direct = model.channels().filter(between)
      return [...new Map([...there, ...direct].map((channel) => [channel.id, channel])).values()].filter((channel) => channel.id !== shell.channel()).map((channel) => toChannel(model, channel))
    },
  },
  {
    id: 'channels',
    title: () => core().sidebar.channels,
    candidates: (model, shell) =>
      model
        .channels()
        .filter((channel) => channel.kind !== 'direct')
        .map((channel) => toChannel(model, channel, { weight: Math.min(4, calls(channel)) + (isUnread(channel) ? 3 : 0) - (channel.id === shell.channel() ? 2 : 0) })),
  },
  {
    id: 'people',
    title: () => core().sidebar.people,
    candidates: (model, shell) => {
      const me = account(model)?.me
      const talking = new Set(model.channels().flatMap((channel) => (channel.kind === 'direct' ? channel.people : [])))
      return model
        .people()
        .filter((person) => !person.deactivated)
        .map(
          (person): Candidate => ({
            id: person.id,
            title: person.name,
            detail: person.id === me ? `@${person.handle} · ${text().you}` : person.title ? `@${person.handle} · ${person.title}` : `@${person.handle}`,
            person: person.id,
            weight: (talking.has(person.id) ? 2 : 0) - (person.id === me ? 2 : 0),
            run: () => openPerson(shell, person.id),
          }),
        )
    },
  },
  {
    id: 'commands',
    title: () => text().commands,
    candidates: (_, shell) =>
      shell.registry.commands
        .filter((command) => command.id !== 'shell.palette' && command.when?.(shell) !== false)
        .map(
          (command): Candidate => ({
            id: command.id,
            title: command.title(),
            ...(command.words === undefined ? {} : { detail: command.words }),
            ...(command.icon === undefined ? {} : { icon: command.icon }),
            keys: command.keys?.[0],
            weight: command.group === 'do' ? 1 : 0,
            run: (at) => command.run(at),
          }),
        ),
  },
]
