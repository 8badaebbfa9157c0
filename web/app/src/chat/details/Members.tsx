import { VList } from 'virtua/solid'
import { createMemo, createSignal, onCleanup, onMount, Show } from 'solid-js'
import { text as core } from '../../i18n/en.ts'
import { explain } from '../../i18n/refusals.ts'
import { account, personName, useModel } from '../../model/context.ts'
import type { Channel } from '../../model/model.ts'
import { useShell } from '../../shell/context.ts'
import { Avatar, presenceWords } from '../../ui/Avatar.tsx'
import { Button, IconButton } from '../../ui/Button.tsx'
import { EmptyState, Skeleton } from '../../ui/Empty.tsx'
import { TextField } from '../../ui/Field.tsx'
import { HoverCard } from '../../ui/HoverCard.tsx'
import { ellipsisIcon, squarePenIcon, userRoundMinusIcon, userRoundPlusIcon } from '../../ui/icons.ts'
import { Menu, type MenuItem } from '../../ui/Menu.tsx'
import { toast } from '../../ui/toasts.ts'
import type { Beside, Member } from '../beside.ts'
import { PersonCard } from '../PersonCard.tsx'
import { useRights } from '../rights.ts'
import { AddPeople } from './AddPeople.tsx'
import { listed, mayRemove, rolesFor } from './members.ts'
import { text } from './text.ts'

/** Up to so many members are read without being asked for, so that they can be shown by name; of larger channels more is read as one scrolls, and all to find somebody. */
const readAhead = 5_000

/** Members lists who is in a channel. */
export function Members(props: { readonly channel: Channel; readonly beside: Beside }) {
  const model = useModel()
  const [words, setWords] = createSignal('')
  const [failed, setFailed] = createSignal<unknown>()
  const [adding, setAdding] = createSignal(false)
  const named = () => props.channel.kind === 'public' || props.channel.kind === 'private'
  const rights = useRights(() => props.channel)
  const members = createMemo((): readonly Member[] | undefined => {
    if (named()) return props.beside.members()
    return props.channel.people.map((id) => ({ id, role: 'none', guest: false }))
  })
  const shown = createMemo(() => listed(members() ?? [], words(), (id) => model.person(id)))

  let open = true
  onCleanup(() => (open = false))
  const read = async (most: () => number) => {
    setFailed(undefined)
    try {
      while (open && props.beside.moreMembers() && (props.beside.members()?.length ?? 0) < most()) await props.beside.readMembers()
    } catch (error) {
      setFailed(error)
    }
  }
  const find = (to: string) => {
    setWords(to)
    if (to.trim() !== '') void read(() => (words().trim() === '' ? readAhead : Infinity))
  }
  onMount(() => {
    if (named()) void read(() => readAhead)
  })

  return (
    <div class="details-people">
      <div class="details-tools">
        <TextField label={text().members.find} type="search" autocomplete="off" value={words()} onInput={find} />
        <Show when={named() ? rights()?.add : props.channel.people.length < 10}>
          <Button icon={userRoundPlusIcon} onClick={() => setAdding(true)}>
            {named() ? text().members.add : text().members.group}
          </Button>
        </Show>
      </div>
      <Show
        when={failed() === undefined}
        fallback={
          <EmptyState title={text().members.failed} words={explain(failed())}>
            <Button onClick={() => void read(() => readAhead)}>{core().retry}</Button>
          </EmptyState>
        }
      >
        <Show when={members()} fallback={<Skeleton rows={5} />}>
          <Show when={shown().length > 0} fallback={<EmptyState title={text().members.none} words={text().members.noneWhy} />}>
            <VList
              class="details-list"
              data={shown()}
              itemSize={52}
              role="list"
              aria-label={text().members.list}
              onScroll={(offset) => {
                if (props.beside.moreMembers() && offset > 52 * (shown().length - 40)) void props.beside.readMembers().catch(setFailed)
              }}
            >
              {(member, n) => (
                <div class="details-row-box" role="listitem" aria-setsize={shown().length} aria-posinset={n() + 1}>
                  <Row channel={props.channel} beside={props.beside} member={member} />
                </div>
              )}
            </VList>
          </Show>
          <Show when={props.beside.moreMembers() && words().trim() !== ''}>
            <p class="details-reading faint" role="status">
              {text().members.reading(members()?.length ?? 0, props.channel.members)}
            </p>
          </Show>
        </Show>
      </Show>
      <Show when={adding()}>
        <AddPeople channel={props.channel} beside={props.beside} onClose={() => setAdding(false)} />
      </Show>
    </div>
  )
}

function Row(props: { readonly channel: Channel; readonly beside: Beside; readonly member: Member }) {
  const model = useModel()
  const shell = useShell()
  const me = () => account(model)?.me
  const name = () => personName(model.person(props.member.id), props.member.id)
  const presence = () => model.presence(props.member.id)
  const rights = useRights(() => props.channel)
  const write = () => {
    const called = name()
    model.openDirect([props.member.id]).then(
      (id) => shell.go(`/c/${id}`),
      (error: unknown) => toast(text().members.writeFailed(called), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: write } }),
    )
  }
  const remove = () => {
    const { id } = props.member
    const called = name()
    props.beside.remove(id).then(
      () => toast(text().members.removed(called)),
      (error: unknown) => toast(text().members.removeFailed(called), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: remove } }),
    )
  }
  const setRole = (role: Parameters<Beside['setRole']>[1]) => {
    const called = name()
    props.beside.setRole(props.member.id, role).catch((error: unknown) =>
      toast(text().members.roleFailed(called), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => setRole(role) } }),
    )
  }
  const items = (): MenuItem[] => {
    const roles = rolesFor(rights(), props.member).map((role): MenuItem => ({
      label: text().members.make[role],
      checked: props.member.role === role,
      run: () => setRole(role),
    }))
    const out: MenuItem[] = mayRemove(rights(), props.member, me()) ? [{ label: text().members.remove, icon: userRoundMinusIcon, danger: true, run: remove }] : []
    return roles.length > 0 && out.length > 0 ? [...roles, 'line', ...out] : [...roles, ...out]
  }
  return (
    <div class="details-row">
      <Avatar id={props.member.id} name={name()} size="large" presence={presence()} />
      <span class="person-words">
        <span class="details-row-name">
          <HoverCard label={name()} card={() => <PersonCard id={props.member.id} />}>
            <span class="strong clip">{name()}</span>
          </HoverCard>
          <Show when={props.member.id === me()}>
            <span class="faint">{text().members.you}</span>
          </Show>
        </span>
        <span class="faint clip">{`${presence().emoji} ${presenceWords(presence())}`.trim()}</span>
      </span>
      <Show when={props.member.role === 'owner' || props.member.role === 'moderator' ? props.member.role : undefined}>
        {(role) => <span class="pill">{text().members.role[role()]}</span>}
      </Show>
      <Show when={props.member.guest}>
        <span class="pill pill-warn">{text().members.guest}</span>
      </Show>
      <Show when={props.member.id !== me()}>
        <IconButton icon={squarePenIcon} label={text().members.write(name())} onClick={write} />
      </Show>
      <Show when={items().length > 0}>
        <Menu label={text().members.more(name())} align="end" items={items()} button={(properties) => <IconButton icon={ellipsisIcon} label={text().members.more(name())} {...properties} />} />
      </Show>
    </div>
  )
}
