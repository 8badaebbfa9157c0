import { createEffect, createSignal, Match, on, onCleanup, onMount, Show, Switch } from 'solid-js'
import { text as core } from '../../i18n/en.ts'
import { between, channelName, useModel } from '../../model/context.ts'
import type { Channel } from '../../model/model.ts'
import type { PanelProps } from '../../module.ts'
import { IconButton } from '../../ui/Button.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { hashIcon, lockIcon, usersIcon, xIcon } from '../../ui/icons.ts'
import { Tabs } from '../../ui/Tabs.tsx'
import type { Beside } from '../beside.ts'
import { setDetailsPart, type Part } from '../places.ts'
import { useBeside } from '../useBeside.ts'
import { About } from './About.tsx'
import { Members } from './Members.tsx'
import { Pins } from './Pins.tsx'
import { text } from './text.ts'
import '../channel.css'
import './details.css'

/** Details is the pane of a channel: what it is, who is in it, what is pinned. */
export default function Details(props: PanelProps<{ readonly channel: string; readonly part: string }>) {
  const model = useModel()
  const [part, setPart] = createSignal<Part>('about')
  createEffect(on(() => props.params, ({ part: wanted }) => setPart(wanted as Part)))
  createEffect(() => setDetailsPart(part()))
  onCleanup(() => setDetailsPart(undefined))
  return (
    <Show when={props.params.channel} keyed>
      {(id) => {
        const beside = useBeside(id)
        return (
          <Show when={model.channel(id)}>
            {(channel) => <Inside channel={channel()} beside={beside} part={part()} onPart={setPart} onClose={() => props.onClose()} />}
          </Show>
        )
      }}
    </Show>
  )
}

interface InsideProps {
  readonly channel: Channel
  readonly beside: Beside
  readonly part: Part
  readonly onPart: (part: Part) => void
  readonly onClose: () => void
}

function Inside(props: InsideProps) {
  const model = useModel()
  const direct = () => between(props.channel)
  const people = () => (direct() ? props.channel.people.length : props.channel.members)
  const pins = () => props.beside.pins()?.length ?? 0
  let element!: HTMLDivElement
  const focus = () => element.querySelector<HTMLElement>('[role=tab][aria-selected=true]')?.focus()
  onMount(focus)
  createEffect(on(() => props.part, () => {
    if (!element.contains(document.activeElement)) focus()
  }, { defer: true }))
  return (
    <div ref={element} class="details">
      <header class="channel-head">
        <Icon path={props.channel.kind === 'public' ? hashIcon : direct() ? usersIcon : lockIcon} />
        <h2 class="details-name clip">{channelName(model, props.channel)}</h2>
        <IconButton icon={xIcon} label={core().shell.closePane} keys="Escape" onClick={() => props.onClose()} />
      </header>
      <Tabs
        label={text().parts}
        tabs={[
          ['about', text().part.about],
          ['people', text().part.people(people())],
          ['pins', pins() === 0 ? text().part.pins : text().part.pinsOf(pins())],
        ]}
        value={props.part}
        onChange={(part) => props.onPart(part)}
      >
        <Switch>
          <Match when={props.part === 'about'}>
            <About channel={props.channel} beside={props.beside} onClose={props.onClose} />
          </Match>
          <Match when={props.part === 'people'}>
            <Members channel={props.channel} beside={props.beside} />
          </Match>
          <Match when={props.part === 'pins'}>
            <Pins channel={props.channel} beside={props.beside} onClose={props.onClose} />
          </Match>
        </Switch>
      </Tabs>
    </div>
  )
}
