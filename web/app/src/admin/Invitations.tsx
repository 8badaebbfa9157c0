import { createSignal, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { relative } from '../i18n/format.ts'
import { explain } from '../i18n/refusals.ts'
import { personName, useModel } from '../model/context.ts'
import type { Invitation, Role } from '../model/model.ts'
import { Banner } from '../ui/Banner.tsx'
import { Button, IconButton } from '../ui/Button.tsx'
import { copy } from '../ui/copy.ts'
import { EmptyState } from '../ui/Empty.tsx'
import { Select, TextField } from '../ui/Field.tsx'
import { copyIcon, mailPlusIcon } from '../ui/icons.ts'
import { Refused } from '../ui/Refused.tsx'
import { submission } from '../ui/submission.ts'
import { toast } from '../ui/toasts.ts'
import { Paged } from '../ui/Paged.tsx'
import { text } from './text.ts'
import '../people/people.css'

export default function Invitations() {
  const model = useModel()
  const [note, setNote] = createSignal('')
  const [role, setRole] = createSignal<Role>('member')
  const [link, setLink] = createSignal<string>()
  const [version, setVersion] = createSignal(0)
  const { busy, error, submit } = submission(async () => {
    const made = await model.administration.invite(role(), note().trim())
    setLink(made)
    setNote('')
    setVersion(version() + 1)
    await copy(made)
  })
  const withdraw = async (invitation: Invitation, reload: () => void) => {
    try {
      await model.administration.withdraw(invitation.id)
      reload()
    } catch (refused) {
      toast(text().invitations.notWithdrawn, { kind: 'failure', cause: explain(refused), action: { label: core().retry, run: () => void withdraw(invitation, reload) } })
    }
  }
  const name = (invitation: Invitation) => invitation.note || text().invitations.nameless
  return (
    <section class="settings-part">
      <header class="settings-head">
        <h2>{text().pages.invitations}</h2>
        <p class="soft">{text().invitations.lead}</p>
      </header>
      <form class="invite" novalidate onSubmit={submit}>
        <TextField label={text().invitations.note} hint={text().invitations.noteHint} autocomplete="off" maxlength={80} value={note()} onInput={setNote} />
        <Select<Role>
          label={text().invitations.as}
          value={role()}
          options={[
            ['member', core().role.member],
            ['guest', core().role.guest],
            ['admin', core().role.admin],
          ]}
          onChange={setRole}
        />
        <div>
          <Button kind="primary" type="submit" icon={mailPlusIcon} busy={busy()}>
            {text().invitations.make}
          </Button>
        </div>
      </form>
      <Refused error={error()} />
      <Show when={link()}>
        {(made) => (
          <Banner does={<IconButton icon={copyIcon} label={text().invitations.copy} onClick={() => void copy(made())} />}>
            <span class="strong">{text().invitations.link}</span>
            <br />
            <span class="link-made">{made()}</span>
          </Banner>
        )}
      </Show>
      <Paged
        failed={text().failed}
        more={text().more}
        version={version()}
        load={(page) => model.administration.invitations(page)}
        empty={<EmptyState title={text().invitations.none} words={text().invitations.noneWhy} />}
        row={(invitation, reload) => (
          <li class="person-row">
            <span class="person-words">
              <span class="strong clip">{name(invitation)}</span>
              <span class="faint clip">
                {core().role[invitation.role]} · {text().invitations.by(personName(model.person(invitation.by), invitation.by), invitation.state === 'open' ? relative(invitation.expires, Date.now()) : undefined)}
              </span>
            </span>
            <span class="pill" classList={{ 'pill-quiet': invitation.state !== 'open' }}>
              {text().invitations.state[invitation.state]}
            </span>
            <Show when={invitation.state === 'open'}>
              <Button size="small" aria-label={text().invitations.withdrawOf(name(invitation))} onClick={() => void withdraw(invitation, reload)}>
                {text().invitations.withdraw}
              </Button>
            </Show>
          </li>
        )}
      />
    </section>
  )
}
