import { createSignal } from 'solid-js'
import { useAccess } from '../model/context.ts'
import type { Link } from '../model/model.ts'
import { Button } from '../ui/Button.tsx'
import { PasswordField, TextField } from '../ui/Field.tsx'
import { passwordFault } from './rules.ts'
import { Refused } from '../ui/Refused.tsx'
import { Sheet } from './SignIn.tsx'
import { submission } from '../ui/submission.ts'
import { text } from './text.ts'

/** Reset gives an account a new password. Its handle is shown, so that password managers know whose it is. */
export function Reset(props: { readonly link: Extract<Link, { kind: 'reset' }>; readonly secret: string; readonly onDone: () => void }) {
  const access = useAccess()
  const [password, setPassword] = createSignal('')
  const [tried, setTried] = createSignal(false)
  const fault = () => passwordFault(password())
  const { busy, error, submit } = submission(async () => {
    setTried(true)
    if (fault()) return
    await access.reset(props.secret, password())
    props.onDone()
  })
  return (
    <Sheet title={text().reset.title} lead={text().reset.lead(props.link.handle, props.link.workspace)}>
      <form class="signin-form" novalidate onSubmit={submit}>
        <TextField large label={text().handle} before="@" name="username" autocomplete="username" readonly value={props.link.handle} onInput={() => undefined} />
        <PasswordField
          large
          autofocus
          label={text().password}
          hint={text().person.passwordHint}
          name="new-password"
          autocomplete="new-password"
          value={password()}
          error={tried() && fault() ? (fault() === 'short' ? text().person.passwordShort : text().person.passwordLong) : undefined}
          onInput={setPassword}
        />
        <Refused error={error()} />
        <Button kind="primary" size="large" wide type="submit" busy={busy()}>
          {text().reset.submit}
        </Button>
      </form>
    </Sheet>
  )
}
