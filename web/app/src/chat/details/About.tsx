import { createSignal, Show } from 'solid-js'
import { text as core } from '../../i18n/en.ts'
import { explain } from '../../i18n/refusals.ts'
import { channelName, counterparts, personName, useModel } from '../../model/context.ts'
import type { Channel } from '../../model/model.ts'
import { useShell } from '../../shell/context.ts'
import { Avatar, presenceWords } from '../../ui/Avatar.tsx'
import { Button } from '../../ui/Button.tsx'
import { Confirm } from '../../ui/Confirm.tsx'
import { Select } from '../../ui/Field.tsx'
import { archiveIcon, archiveRestoreIcon, logOutIcon } from '../../ui/icons.ts'
import { toast } from '../../ui/toasts.ts'
import type { About as Changed, Beside } from '../beside.ts'
import { useRights } from '../rights.ts'
import { dayOf } from './format.ts'
import { Editable } from './Editable.tsx'
import { Notify } from './Notify.tsx'
import { text } from './text.ts'

/** About tells what a channel is, and changes it. */
export function About(props: { readonly channel: Channel; readonly beside: Beside; readonly onClose: () => void }) {
  const model = useModel()
  const named = () => props.channel.kind === 'public' || props.channel.kind === 'private'
  const rights = useRights(() => props.channel)
  const choose = (change: Partial<Changed>, label: string) => {
    props.beside.update(change).catch((error: unknown) =>
      toast(text().notSaved(label), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => choose(change, label) } }),
    )
  }
  return (
    <div class="details-scroll">
      <Show when={named()} fallback={<Between channel={props.channel} />}>
        <section class="details-part">
          <Editable label={text().field.name} value={props.channel.name} before="#" empty="" most={64} needed may={rights()?.change ?? false} save={(name) => props.beside.update({ name })} />
          <Editable label={text().field.topic} value={props.channel.topic} empty={text().field.noTopic} most={250} may={rights()?.change ?? false} save={(topic) => props.beside.update({ topic })} />
          <Editable label={text().field.purpose} value={props.channel.purpose} empty={text().field.noPurpose} most={1000} lines may={rights()?.change ?? false} save={(purpose) => props.beside.update({ purpose })} />
          <Show when={rights()?.change}>
            <Select
              label={text().posting}
              hint={text().postingHint}
              value={props.channel.posting}
              options={[
                ['members', text().postingOf.members],
                ['moderators', text().postingOf.moderators],
              ]}
              onChange={(posting) => choose({ posting }, text().posting)}
            />
            <Show when={props.channel.kind === 'private'}>
              <Select
                label={text().history}
                value={props.channel.history}
                options={[
                  ['all', text().historyOf.all],
                  ['joined', text().historyOf.joined],
                ]}
                onChange={(history) => choose({ history }, text().history)}
              />
            </Show>
          </Show>
        </section>
      </Show>
      <Notify channel={props.channel} />
      <section class="details-part details-facts">
        <p>{text().kind[props.channel.kind]}</p>
        <Show when={named() && props.channel.created > 0}>
          <p>{text().created(personName(model.person(props.channel.creator), props.channel.creator), dayOf(props.channel.created))}</p>
        </Show>
      </section>
      <Ends channel={props.channel} beside={props.beside} archive={rights()?.archive ?? false} leave={rights()?.leave ?? false} />
    </div>
  )
}

/** Between shows who a conversation is with. */
function Between(props: { readonly channel: Channel }) {
  const model = useModel()
  const other = () => counterparts(model, props.channel)[0] ?? ''
  return (
    <Show when={props.channel.kind === 'direct'}>
      <section class="details-part details-person">
        <Avatar id={other()} name={personName(model.person(other()), other())} size="huge" presence={model.presence(other())} />
        <div>
          <p class="details-person-name">{personName(model.person(other()), other())}</p>
          <p class="faint">
            @{model.person(other())?.handle}
            {model.person(other())?.title && ` · ${model.person(other())?.title}`}
          </p>
          <p class="soft">{`${model.presence(other()).emoji} ${presenceWords(model.presence(other()))}`.trim()}</p>
        </div>
      </section>
    </Show>
  )
}

/** Ends are what ends something: leaving, and the archive. */
function Ends(props: { readonly channel: Channel; readonly beside: Beside; readonly archive: boolean; readonly leave: boolean }) {
  const model = useModel()
  const shell = useShell()
  const [asked, setAsked] = createSignal<'leave' | 'archive'>()
  const leave = () => {
    const { id, kind } = props.channel
    const name = channelName(model, props.channel)
    setAsked(undefined)
    const left = model.leave(id)
    shell.go('/')
    left.then(
      () => toast(text().left(name), kind === 'public' ? { action: { label: text().rejoin, run: () => rejoin(id, name) } } : {}),
      (error: unknown) => {
        toast(text().leaveFailed(name), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: leave } })
        shell.go(`/c/${id}`)
      },
    )
  }
  const rejoin = (id: string, name: string) => {
    model.join(id).then(
      () => shell.go(`/c/${id}`),
      (error: unknown) => toast(text().rejoinFailed(name), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => rejoin(id, name) } }),
    )
  }
  const archive = (on: boolean) => {
    const name = channelName(model, props.channel)
    setAsked(undefined)
    props.beside.archive(on).catch((error: unknown) =>
      toast(text().archiveFailed(name), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => archive(on) } }),
    )
  }
  return (
    <Show when={props.leave || props.archive}>
      <section class="details-part details-ends">
        <Show when={props.leave}>
          <Button icon={logOutIcon} onClick={() => (props.channel.kind === 'private' ? setAsked('leave') : leave())}>
            {text().leave}
          </Button>
        </Show>
        <Show when={props.archive}>
          <Show when={props.channel.archived} fallback={<Button icon={archiveIcon} onClick={() => setAsked('archive')}>{text().archive}</Button>}>
            <Button icon={archiveRestoreIcon} onClick={() => archive(false)}>
              {text().unarchive}
            </Button>
          </Show>
        </Show>
        <Show when={asked() === 'leave'}>
          <Confirm title={text().leaveTitle(channelName(model, props.channel))} words={text().leaveWhy} label={text().leave} onDo={leave} onClose={() => setAsked(undefined)} />
        </Show>
        <Show when={asked() === 'archive'}>
          <Confirm title={text().archiveTitle(channelName(model, props.channel))} words={text().archiveWhy} label={text().archive} onDo={() => archive(true)} onClose={() => setAsked(undefined)} />
        </Show>
      </section>
    </Show>
  )
}
