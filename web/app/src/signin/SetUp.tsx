import { createSignal, Show } from 'solid-js'
import { useAccess } from '../model/context.ts'
import { Button } from '../ui/Button.tsx'
import { TextField } from '../ui/Field.tsx'
import { PersonFields, personForm } from './PersonFields.tsx'
import { slugIsRight, suggestSlug } from './rules.ts'
import { Refused } from '../ui/Refused.tsx'
import { Sheet } from './SignIn.tsx'
import { submission } from '../ui/submission.ts'
import { text } from './text.ts'

export const steps = 4

/** SetUp makes the first account and its workspace: one request, asked for in two steps. */
export function SetUp(props: { readonly secret: string; readonly onDone: () => void }) {
  const access = useAccess()
  const person = personForm()
  const [named, setNamed] = createSignal(false)
  const [name, setName] = createSignal('')
  const [slug, setSlug] = createSignal<string>()
  const [tried, setTried] = createSignal(false)
  const address = () => slug() ?? suggestSlug(name())
  const { busy, error, field, submit } = submission(async () => {
    const who = person.person()
    if (!who) {
      setNamed(false)
      return
    }
    if (!named()) {
      setNamed(true)
      return
    }
    setTried(true)
    if (name().trim() === '' || !slugIsRight(address())) return
    await access.setUp(props.secret, { slug: address(), name: name().trim() }, who)
    props.onDone()
  })
  return (
    <Show
      when={named()}
      fallback={
        <Sheet title={text().setUp.title} lead={text().setUp.lead} step={text().setUp.step(1, steps)}>
          <form class="signin-form" novalidate onSubmit={submit}>
            <PersonFields form={person} taken={field() === 'handle' ? error() : undefined} />
            <Button kind="primary" size="large" wide type="submit">
              {text().setUp.next}
            </Button>
          </form>
        </Sheet>
      }
    >
      <Sheet title={text().setUp.workspaceTitle} lead={text().setUp.workspaceLead} step={text().setUp.step(2, steps)}>
        <form class="signin-form" novalidate onSubmit={submit}>
          <TextField
            large
            autofocus
            label={text().setUp.name}
            name="organization"
            autocomplete="organization"
            maxlength={80}
            value={name()}
            error={tried() && name().trim() === '' ? text().empty : undefined}
            onInput={setName}
          />
          <TextField
            large
            label={text().setUp.slug}
            hint={text().setUp.slugHint}
            name="slug"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            maxlength={40}
            value={address()}
            error={tried() && !slugIsRight(address()) ? text().setUp.slugWrong : undefined}
            onInput={setSlug}
          />
          <Refused error={error()} />
          <div class="signin-does">
            <Button size="large" onClick={() => setNamed(false)}>
              {text().setUp.back}
            </Button>
            <Button kind="primary" size="large" wide type="submit" busy={busy()}>
              {text().setUp.create}
            </Button>
          </div>
        </form>
      </Sheet>
    </Show>
  )
}
