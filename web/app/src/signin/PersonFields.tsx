import { createSignal } from 'solid-js'
import type { NewPerson } from '../model/model.ts'
import { PasswordField, TextField } from '../ui/Field.tsx'
import { handleIsRight, passwordFault, suggestHandle } from './rules.ts'
import { text } from './text.ts'

export interface PersonForm {
  readonly name: () => string
  readonly setName: (name: string) => void
  readonly handle: () => string
  readonly setHandle: (handle: string) => void
  readonly password: () => string
  readonly setPassword: (password: string) => void
  readonly nameError: () => string | undefined
  readonly handleError: () => string | undefined
  readonly passwordError: () => string | undefined
  /** What was filled in, or undefined, and then the fields say what is missing. */
  readonly person: () => NewPerson | undefined
}

/** personForm is a new account's name, handle and password. The handle follows the name until it is changed by hand. */
export function personForm(): PersonForm {
  const [name, setName] = createSignal('')
  const [handle, setHandle] = createSignal<string>()
  const [password, setPassword] = createSignal('')
  const [tried, setTried] = createSignal(false)
  const chosen = () => handle() ?? suggestHandle(name())
  const fault = () => passwordFault(password())
  return {
    name,
    setName,
    handle: chosen,
    setHandle: (value) => setHandle(value.toLowerCase().replace(/^@/, '')),
    password,
    setPassword,
    nameError: () => (tried() && name().trim() === '' ? text().empty : undefined),
    handleError: () => (tried() && !handleIsRight(chosen()) ? text().person.handleWrong : undefined),
    passwordError: () => (tried() && fault() ? (fault() === 'short' ? text().person.passwordShort : text().person.passwordLong) : undefined),
    person: () => {
      setTried(true)
      if (name().trim() === '' || !handleIsRight(chosen()) || fault()) return undefined
      return { name: name().trim(), handle: chosen(), password: password() }
    },
  }
}

/** PersonFields are its fields; `taken` is what the server said of the handle. */
export function PersonFields(props: { readonly form: PersonForm; readonly taken?: string | undefined }) {
  return (
    <>
      <TextField
        large
        label={text().person.name}
        hint={text().person.nameHint}
        name="name"
        autocomplete="name"
        autofocus
        maxlength={80}
        value={props.form.name()}
        error={props.form.nameError()}
        onInput={props.form.setName}
      />
      <TextField
        large
        label={text().handle}
        before="@"
        hint={text().person.handleHint}
        name="username"
        autocomplete="username"
        autocapitalize="off"
        spellcheck={false}
        maxlength={32}
        value={props.form.handle()}
        error={props.taken ?? props.form.handleError()}
        onInput={props.form.setHandle}
      />
      <PasswordField
        large
        label={text().password}
        hint={text().person.passwordHint}
        name="new-password"
        autocomplete="new-password"
        value={props.form.password()}
        error={props.form.passwordError()}
        onInput={props.form.setPassword}
      />
    </>
  )
}
