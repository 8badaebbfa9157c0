import { createEffect, createSignal, onCleanup, onMount } from 'solid-js'
import { list } from '../i18n/format.ts'
import { account, channelName, counterparts, nameApart, titleCount, useModel } from '../model/context.ts'
import { useShell } from '../shell/context.ts'
import { preferences } from '../shell/preferences.ts'
import type { Batch, Said } from './arrivals.ts'
import { Cards } from './Cards.tsx'
import { createCards, type Told } from './cards.ts'
import { conversation, decide, pathOf, plan, wants } from './decide.ts'
import { pageDesk, permission, type Shown } from './desk.ts'
import { Lead } from './lead.ts'
import { lineOf } from './line.ts'
import { text } from './text.ts'

const sumTag = 'sum'

/** OnDesk is one that is shown outside of the page. */
interface OnDesk {
  readonly tag: string
  readonly said: Said | undefined
  readonly shown: Shown
}

/** Notify tells of what arrives elsewhere: in the page that is focused by cards; where none is, by one of all pages outside of it. And it keeps the number on the application's icon. */
export default function Notify() {
  const model = useModel()
  const arrivals = model.arrivals()
  const shell = useShell()
  const me = account(model)?.me ?? ''
  const cards = createCards()
  const lead = new Lead(me)
  const [onDesk, setOnDesk] = createSignal<readonly OnDesk[]>([])

  const focused = () => document.hasFocus() && document.visibilityState === 'visible'
  const follow = () => lead.focus(focused())
  onMount(() => {
    for (const event of ['focus', 'blur'] as const) window.addEventListener(event, follow)
    document.addEventListener('visibilitychange', follow)
    follow()
    onCleanup(() => {
      for (const event of ['focus', 'blur'] as const) window.removeEventListener(event, follow)
      document.removeEventListener('visibilitychange', follow)
      lead.close()
      for (const { shown } of onDesk()) shown.close()
    })
  })

  const looking = (said: Said) => (said.shown && shell.channel() === said.channel) || (said.root !== 0 && shell.path() === `/t/${said.channel}/${said.root}`)
  const who = (said: Said) => nameApart(model, said.author, text().nobody)
  const where = (said: Said): string => {
    const channel = model.channel(said.channel)
    if (!channel) return ''
    if (channel.name) return said.shown ? text().channel(channel.name) : text().thread(channel.name)
    if (!said.shown) return text().threadDirect
    const others = counterparts(model, channel).filter((id) => id !== said.author)
    return channel.kind === 'group' ? text().group(list(others.map((id) => nameApart(model, id, text().nobody)))) : text().direct
  }
  const toldOf = (said: Said): Told => ({
    key: conversation(said),
    said,
    author: said.author,
    title: who(said),
    where: where(said),
    line: preferences().preview === 'on' ? lineOf(said.text) : text().hidden,
    path: pathOf(said),
    mention: said.names,
  })
  const sumOf = (sum: number, first: Said | undefined): Told => {
    const channel = first && model.channel(first.channel)
    return { key: sumTag, said: first, author: undefined, title: text().sum(sum), where: '', line: channel ? channelName(model, channel) : text().sumWhy, path: first ? pathOf(first) : '/', mention: false }
  }

  const outside = (told: Told) => {
    const tag = `${me}/${told.key}`
    const shown = pageDesk.show({
      tag,
      title: told.where ? text().title(told.title, told.where) : told.title,
      body: told.line,
      onClick: () => {
        setOnDesk((all) => all.filter((other) => other.tag !== tag))
        shell.go(told.path)
      },
    })
    if (shown) setOnDesk((all) => [...all.filter((other) => other.tag !== tag), { tag, said: told.said, shown }])
  }

  /** Whether cards are shown here (the page is focused), or notifications by this page for all. */
  let place: 'card' | 'desk' | undefined
  const tells = async () => {
    place = focused() ? 'card' : permission() === 'granted' && (await lead.speaks()) ? 'desk' : undefined
    return place !== undefined
  }
  const told = ({ said, more, now }: Batch) => {
    const here = place
    if (here === undefined) return
    const quiet = model.quiet()?.on ?? model.presence(me).state === 'silent'
    const chosen = said.flatMap((one) => {
      const channel = model.channel(one.channel)
      if (!channel) return []
      const verdict = decide(one, {
        me, channel, quiet, since, now,
        standard: preferences().notify,
        read: arrivals.read(one),
        looking: here === 'card' && looking(one),
        focused: here === 'card',
      })
      return verdict.kind === 'tell' ? [{ said: one, late: verdict.late }] : []
    })
    const { each, sum, first } = plan(chosen, quiet ? 0 : more)
    const all = [...each.map(toldOf), ...(sum > 0 ? [sumOf(sum, first)] : [])]
    for (const one of all) {
      if (here === 'card') cards.show(one)
      else outside(one)
    }
    if (all.length > 0 && preferences().sound === 'on') void import('./sound.ts').then(({ sound }) => sound())
  }
  let since = 0
  onMount(() => {
    since = arrivals.now()
    onCleanup(arrivals.listen({ wants: (channel) => wants(channel, preferences().notify), tells, told }))
  })

  // What has been read, here or elsewhere, goes.
  const past = (said: Said | undefined) => said !== undefined && (arrivals.read(said) || (looking(said) && focused()))
  createEffect(() => {
    for (const card of cards.all()) if (past(card.said)) cards.close(card.key)
  })
  createEffect(() => {
    const gone = onDesk().filter(({ said }) => past(said))
    if (gone.length === 0) return
    for (const { shown } of gone) shown.close()
    setOnDesk((all) => all.filter((one) => !gone.includes(one)))
  })

  createEffect(() => {
    const count = titleCount(model.channels())
    if (!('setAppBadge' in navigator)) return
    const done = count > 0 ? navigator.setAppBadge(count) : navigator.clearAppBadge()
    done.catch(() => undefined) // the application isn't installed
  })
  onCleanup(() => {
    if ('clearAppBadge' in navigator) navigator.clearAppBadge().catch(() => undefined)
  })

  return <Cards cards={cards} />
}
