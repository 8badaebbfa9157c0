import { relative } from '../i18n/format.ts'
import { useAccess } from '../model/context.ts'
import type { Link } from '../model/model.ts'
import { Button } from '../ui/Button.tsx'
import { PersonFields, personForm } from './PersonFields.tsx'
import { Refused } from '../ui/Refused.tsx'
import { Sheet } from './SignIn.tsx'
import { submission } from '../ui/submission.ts'
import { text } from './text.ts'

/** Join makes an account by an invitation. */
export function Join(props: { readonly link: Extract<Link, { kind: 'join' }>; readonly secret: string; readonly onDone: () => void }) {
  const access = useAccess()
  const form = personForm()
  const { busy, error, field, submit } = submission(async () => {
    const person = form.person()
    if (!person) return
    await access.join(props.secret, person)
    props.onDone()
  })
  const lead = () => (props.link.role === 'guest' ? text().join.leadGuest(props.link.invitedBy) : text().join.lead(props.link.invitedBy))
  return (
    <Sheet title={text().join.title(props.link.workspace)} lead={lead()} foot={text().join.expires(relative(props.link.expires, Date.now()))}>
      <form class="signin-form" novalidate onSubmit={submit}>
        <PersonFields form={form} taken={field() === 'handle' ? error() : undefined} />
        <Refused error={field() === 'handle' ? undefined : error()} />
        <Button kind="primary" size="large" wide type="submit" busy={busy()}>
          {text().join.submit}
        </Button>
      </form>
    </Sheet>
  )
}
