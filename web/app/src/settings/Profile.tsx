import { createSignal } from 'solid-js'
import { account, personName, useModel } from '../model/context.ts'
import { passwordFault } from '../signin/rules.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Button } from '../ui/Button.tsx'
import { PasswordField, TextField } from '../ui/Field.tsx'
import { Refused } from '../ui/Refused.tsx'
import { submission } from '../ui/submission.ts'
import { toast } from '../ui/toasts.ts'
import { text } from './text.ts'

export default function Profile() {
  const model = useModel()
  const me = () => account(model)?.me ?? ''
  const person = () => model.person(me())
  const [name, setName] = createSignal(personName(person(), me()))
  const [job, setJob] = createSignal(person()?.title ?? '')
  const [old, setOld] = createSignal('')
  const [fresh, setFresh] = createSignal('')
  const [tried, setTried] = createSignal(false)

  const profile = submission(async () => {
    if (name().trim() === '') return
    await model.profile.update({ name: name().trim(), title: job().trim() })
    toast(text().saved)
  })
  const password = submission(async () => {
    setTried(true)
    if (old() === '' || passwordFault(fresh())) return
    await model.profile.changePassword(old(), fresh())
    setOld('')
    setFresh('')
    setTried(false)
    toast(text().profile.changed)
  })

  return (
    <>
      <section class="settings-part">
        <header class="settings-head">
          <h2>{text().pages.profile}</h2>
          <p class="soft">{text().profile.lead}</p>
        </header>
        <div class="profile-who">
          <Avatar id={me()} name={name()} size="huge" />
          <div>
            <div class="strong">{name()}</div>
            <div class="faint">@{person()?.handle}</div>
          </div>
        </div>
        <form class="settings-form" novalidate onSubmit={profile.submit}>
          <TextField label={text().profile.name} autocomplete="name" maxlength={80} value={name()} error={name().trim() === '' ? text().profile.nameWrong : undefined} onInput={setName} />
          <TextField label={text().profile.job} hint={text().profile.jobHint} autocomplete="organization-title" maxlength={80} value={job()} onInput={setJob} />
          <Refused error={profile.error()} />
          <div>
            <Button kind="primary" type="submit" busy={profile.busy()}>
              {text().save}
            </Button>
          </div>
        </form>
      </section>
      <section class="settings-part">
        <header class="settings-head">
          <h2>{text().profile.passwordTitle}</h2>
          <p class="soft">{text().profile.passwordLead}</p>
        </header>
        <form class="settings-form" novalidate onSubmit={password.submit}>
          <input class="unseen" tabIndex={-1} aria-hidden="true" name="username" autocomplete="username" value={person()?.handle ?? ''} readonly />
          <PasswordField label={text().profile.old} autocomplete="current-password" value={old()} onInput={setOld} />
          <PasswordField
            label={text().profile.fresh}
            hint={text().profile.freshHint}
            error={tried() && passwordFault(fresh()) ? text().profile.freshHint : undefined}
            autocomplete="new-password"
            value={fresh()}
            onInput={setFresh}
          />
          <Refused error={password.error()} />
          <div>
            <Button type="submit" busy={password.busy()}>
              {text().profile.change}
            </Button>
          </div>
        </form>
      </section>
    </>
  )
}
