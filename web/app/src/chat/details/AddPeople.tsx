import { createMemo, createSignal, onMount, Show } from 'solid-js'
import { others } from '../../channels/NewDirect.tsx'
import { PickPeople } from '../../channels/PickPeople.tsx'
import { text as words } from '../../channels/text.ts'
import { text as core } from '../../i18n/en.ts'
import { account, channelName, useModel } from '../../model/context.ts'
import type { Channel, Id } from '../../model/model.ts'
import { useShell } from '../../shell/context.ts'
import { Button } from '../../ui/Button.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { submission } from '../../ui/submission.ts'
import type { Beside } from '../beside.ts'
import { text } from './text.ts'

/** How many are added at once: the service's limit. */
const most = 100

/** AddPeople adds people to a channel; of a conversation, whose people stay, it begins one with more of them. */
export function AddPeople(props: { readonly channel: Channel; readonly beside: Beside; readonly onClose: () => void }) {
  const model = useModel()
  const shell = useShell()
  const [chosen, setChosen] = createSignal<readonly Id[]>([])
  const named = () => props.channel.kind === 'public' || props.channel.kind === 'private'
  const inIt = createMemo(() => new Set(named() ? props.beside.members()?.map((member) => member.id) : props.channel.people))
  const room = () => (named() ? most : others - props.channel.people.filter((id) => id !== account(model)?.me).length)
  onMount(() => void props.beside.readMembers().catch(() => undefined)) // who is in it already is added once more without harm
  const { busy, error, submit } = submission(async () => {
    if (chosen().length === 0) return
    if (named()) {
      await props.beside.add(chosen())
      props.onClose()
    } else {
      const me = account(model)?.me
      const id = await model.openDirect([...props.channel.people.filter((one) => one !== me), ...chosen()])
      props.onClose()
      shell.go(`/c/${id}`)
    }
  })
  return (
    <Dialog
      title={named() ? text().adding.title(channelName(model, props.channel)) : text().adding.groupTitle}
      onClose={props.onClose}
      foot={
        <>
          <Button onClick={() => props.onClose()}>{core().cancel}</Button>
          <Button kind="primary" busy={busy()} disabled={chosen().length === 0} onClick={() => submit()}>
            {named() ? text().adding.do(chosen().length) : text().adding.open}
          </Button>
        </>
      }
    >
      <Show when={!named()}>
        <p class="soft">{text().adding.groupWhy}</p>
      </Show>
      <PickPeople
        label={words().direct.to}
        chosen={chosen()}
        onChange={setChosen}
        most={room()}
        mostWords={words().direct.most}
        without={(id) => inIt().has(id)}
        error={error()}
        onDone={() => submit()}
      />
    </Dialog>
  )
}
