import { createMemo, For, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { list, number } from '../i18n/format.ts'
import { channelName, counterparts, nameApart, personName, useModel } from '../model/context.ts'
import type { Channel as Told } from '../model/model.ts'
import { useShell } from '../shell/context.ts'
import { Avatar, presenceWords } from '../ui/Avatar.tsx'
import { IconButton } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { bellOffIcon, calendarDaysIcon, hashIcon, lockIcon, pinIcon, usersIcon } from '../ui/icons.ts'
import type { Beside } from './beside.ts'
import { detailsPart, jumpToDate, openDetails, type Part } from './places.ts'
import { text } from './text.ts'
import { useBeside } from './useBeside.ts'
import './channel.css'

/** Head is the line above a channel: what it is called and about, who looks at it, and the ways to its details. */
export function Head(props: { readonly channel: Told }) {
  const model = useModel()
  const shell = useShell()
  const beside = useBeside(props.channel.id)
  const other = () => (props.channel.kind === 'direct' ? counterparts(model, props.channel)[0] : undefined)
  const pins = () => beside.pins()?.length ?? 0
  const open = (part: Part) => openDetails(shell, props.channel.id, part)
  const people = () => (props.channel.kind === 'group' ? props.channel.people.length : props.channel.members)
  return (
    <header class="channel-head">
      <Show when={other()} fallback={<Icon path={props.channel.kind === 'public' ? hashIcon : props.channel.kind === 'group' ? usersIcon : lockIcon} />}>
        {(id) => <Avatar id={id()} name={personName(model.person(id()), id())} presence={model.presence(id())} />}
      </Show>
      <h1 class="channel-name clip">
        <button type="button" class="channel-title clip" data-tip={text().details} data-keys="Alt+O" aria-expanded={detailsPart() === 'about'} onClick={() => open('about')}>
          {channelName(model, props.channel)}
        </button>
      </h1>
      <Show when={props.channel.muted}>
        <span class="channel-muted" data-tip={core().sidebar.muted}>
          <Icon path={bellOffIcon} small />
          <span class="unseen">{core().sidebar.muted}</span>
        </span>
      </Show>
      <p class="channel-topic clip" dir="auto">
        <Show when={other()} fallback={props.channel.topic}>
          {(id) => <>{`${model.presence(id()).emoji} ${presenceWords(model.presence(id()))}`.trim()}</>}
        </Show>
      </p>
      <Here beside={beside} onOpen={() => open('people')} />
      <Show when={pins() > 0}>
        <button type="button" class="channel-count" data-tip={text().pins(pins())} aria-label={text().pins(pins())} aria-expanded={detailsPart() === 'pins'} onClick={() => open('pins')}>
          <Icon path={pinIcon} small />
          <span class="numbers">{number(pins())}</span>
        </button>
      </Show>
      <IconButton icon={calendarDaysIcon} label={text().jumpToDate} keys="Alt+J" onClick={() => shell.openDialog(jumpToDate)} />
      <Show when={props.channel.kind !== 'direct'}>
        <button type="button" class="channel-count" data-tip={text().members(people())} aria-label={text().members(people())} aria-expanded={detailsPart() === 'people'} onClick={() => open('people')}>
          <Icon path={usersIcon} small />
          <span class="numbers">{number(people())}</span>
        </button>
      </Show>
    </header>
  )
}

/** How many faces are shown, and how many names are said. */
const faces = 3
const names = 5

/** Here is who else looks at the channel now; nothing where one is alone. */
function Here(props: { readonly beside: Beside; readonly onOpen: () => void }) {
  const model = useModel()
  const looking = () => props.beside.looking()
  const name = (id: string) => personName(model.person(id), text().nobody)
  const words = createMemo(() => {
    const { people, count } = looking()
    const said = people.slice(0, names).map((id) => nameApart(model, id, text().nobody))
    const rest = count - said.length
    return text().here(count, list(rest > 0 ? [...said, text().more(rest)] : said))
  })
  return (
    <Show when={looking().count > 0}>
      <button type="button" class="here" data-tip={words()} onClick={() => props.onOpen()}>
        <span class="unseen">{words()}</span>
        <span class="here-faces" aria-hidden="true">
          <For each={looking().people.slice(0, faces)}>{(id) => <Avatar id={id} name={name(id)} />}</For>
        </span>
        <Show when={looking().count > faces}>
          <span class="here-more numbers" aria-hidden="true">+{number(looking().count - Math.min(faces, looking().people.length))}</span>
        </Show>
      </button>
    </Show>
  )
}
