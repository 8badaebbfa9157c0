import { createSignal, For, Show } from 'solid-js'
import { useModel } from '../model/context.ts'
import { Button, IconButton } from '../ui/Button.tsx'
import { copy } from '../ui/copy.ts'
import { TextField } from '../ui/Field.tsx'
import { copyIcon, mailPlusIcon } from '../ui/icons.ts'
import { steps } from './SetUp.tsx'
import { Refused } from '../ui/Refused.tsx'
import { Sheet } from './SignIn.tsx'
import { submission } from '../ui/submission.ts'
import { text } from './text.ts'

interface Made {
  readonly note: string
  readonly link: string
}

/** FirstSteps follow once there is a workspace: invitations, and a first channel. Both can be passed over. */
export function FirstSteps(props: { readonly onDone: () => void }) {
  const model = useModel()
  const [invited, setInvited] = createSignal(false)
  const [links, setLinks] = createSignal<readonly Made[]>([])
  const [note, setNote] = createSignal('')
  const [name, setName] = createSignal(text().first.channelDefault)
  const [topic, setTopic] = createSignal('')

  const invitation = submission(async () => {
    const link = await model.administration.invite('member', note().trim())
    setLinks([...links(), { note: note().trim(), link }])
    setNote('')
    await copy(link)
  })
  const channel = submission(async () => {
    if (name().trim() !== '') await model.createChannel({ name: name().trim(), topic: topic().trim(), private: false })
    props.onDone()
  })

  return (
    <Show
      when={invited()}
      fallback={
        <Sheet title={text().first.inviteTitle} lead={text().first.inviteLead} step={text().setUp.step(3, steps)}>
          <form class="signin-form" novalidate onSubmit={invitation.submit}>
            <TextField large autofocus label={text().first.note} hint={text().first.noteHint} name="note" autocomplete="off" maxlength={80} value={note()} onInput={setNote} />
            <Refused error={invitation.error()} />
            <Button type="submit" icon={mailPlusIcon} busy={invitation.busy()}>
              {text().first.makeLink}
            </Button>
            <ul class="signin-links" aria-label={text().first.links}>
              <For each={links()} fallback={<li class="signin-nolinks">{text().first.noLinks}</li>}>
                {(made) => (
                  <li class="signin-made">
                    <span class="clip">
                      <Show when={made.note}>
                        <span class="strong">{made.note} </span>
                      </Show>
                      <span class="faint">{made.link}</span>
                    </span>
                    <IconButton icon={copyIcon} label={text().first.copy} onClick={() => void copy(made.link)} />
                  </li>
                )}
              </For>
            </ul>
            <Button kind="primary" size="large" wide onClick={() => setInvited(true)}>
              {text().first.skip}
            </Button>
          </form>
        </Sheet>
      }
    >
      <Sheet title={text().first.channelTitle} lead={text().first.channelLead} step={text().setUp.step(4, steps)}>
        <form class="signin-form" novalidate onSubmit={channel.submit}>
          <TextField large autofocus before="#" label={text().first.channelName} name="channel" autocomplete="off" maxlength={64} value={name()} onInput={setName} />
          <TextField large label={text().first.channelTopic} name="topic" autocomplete="off" maxlength={250} value={topic()} onInput={setTopic} />
          <Refused error={channel.error()} />
          <Button kind="primary" size="large" wide type="submit" busy={channel.busy()}>
            {text().first.finish}
          </Button>
        </form>
      </Sheet>
    </Show>
  )
}
