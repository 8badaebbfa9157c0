/** Fields: a label, what is filled in, a hint, and what is wrong with it. */
import { createSignal, createUniqueId, For, Show, splitProps, type JSX } from 'solid-js'
import { text } from '../i18n/en.ts'
import { IconButton } from './Button.tsx'
import { Icon } from './Icon.tsx'
import { chevronDownIcon, circleAlertIcon, eyeIcon, eyeOffIcon, searchIcon } from './icons.ts'
import './field.css'

interface Around {
  readonly label: string
  readonly hint?: string | undefined
  /** What is wrong, and what to do. */
  readonly error?: string | undefined
  readonly large?: boolean
}

const around = ['label', 'hint', 'error', 'large'] as const

/** Field is what all fields have around their box. */
function Field(props: Around & { readonly id: string; readonly within?: boolean; readonly children: JSX.Element }) {
  return (
    <div class="field" classList={{ 'field-bad': !!props.error, 'field-large': props.large ?? false }}>
      <label class="field-label" classList={{ unseen: props.within ?? false }} for={props.id}>
        {props.label}
      </label>
      <div class="field-box">{props.children}</div>
      <Show when={props.error} fallback={<Show when={props.hint}>{(hint) => <p class="field-hint" id={`${props.id}-note`}>{hint()}</p>}</Show>}>
        {(error) => (
          <p class="field-error" id={`${props.id}-note`} role="alert">
            <Icon path={circleAlertIcon} small />
            {error()}
          </p>
        )}
      </Show>
    </div>
  )
}

type Input = Omit<JSX.InputHTMLAttributes<HTMLInputElement>, 'class' | 'style' | 'id' | 'onInput' | 'value'>

export interface TextFieldProps extends Around, Input {
  readonly value: string
  readonly onInput: (value: string) => void
  /** Stands before what is filled in: "@". */
  readonly before?: string
}

/** TextField is one line. Where one searches, the label stands within. */
export function TextField(props: TextFieldProps) {
  const id = createUniqueId()
  const [outer, own, rest] = splitProps(props, around, ['before', 'onInput'])
  const searches = () => rest.type === 'search'
  return (
    <Field id={id} within={searches()} {...outer}>
      <Show when={searches()}>
        <span class="field-before">
          <Icon path={searchIcon} small />
        </span>
      </Show>
      <Show when={own.before}>
        <span class="field-before" aria-hidden="true">
          {own.before}
        </span>
      </Show>
      <input
        type="text"
        placeholder={searches() ? outer.label : undefined}
        {...rest}
        id={id}
        aria-invalid={!!outer.error}
        aria-describedby={outer.error || outer.hint ? `${id}-note` : undefined}
        onInput={(event) => own.onInput(event.currentTarget.value)}
      />
    </Field>
  )
}

/** PasswordField can show what is typed. `autocomplete` tells password managers which it is: "current-password" or "new-password". */
export function PasswordField(props: Omit<TextFieldProps, 'type' | 'before'> & { readonly autocomplete: 'current-password' | 'new-password' }) {
  const id = createUniqueId()
  const [shown, setShown] = createSignal(false)
  const [outer, own, rest] = splitProps(props, around, ['onInput'])
  return (
    <Field id={id} {...outer}>
      <input
        autocapitalize="off"
        spellcheck={false}
        {...rest}
        id={id}
        type={shown() ? 'text' : 'password'}
        aria-invalid={!!outer.error}
        aria-describedby={outer.error || outer.hint ? `${id}-note` : undefined}
        onInput={(event) => own.onInput(event.currentTarget.value)}
      />
      <IconButton icon={shown() ? eyeOffIcon : eyeIcon} label={shown() ? text().field.hide : text().field.show} aria-controls={id} onClick={() => setShown(!shown())} />
    </Field>
  )
}

export interface SelectProps<V extends string> extends Around {
  readonly value: V
  readonly options: readonly (readonly [value: V, name: string])[]
  readonly onChange: (value: V) => void
}

export function Select<V extends string>(props: SelectProps<V>) {
  const id = createUniqueId()
  const [outer] = splitProps(props, around)
  return (
    <Field id={id} {...outer}>
      <select id={id} onChange={(event) => props.onChange(event.currentTarget.value as V)}>
        <For each={props.options}>
          {([value, name]) => (
            <option value={value} selected={value === props.value}>
              {name}
            </option>
          )}
        </For>
      </select>
      <Icon path={chevronDownIcon} small />
    </Field>
  )
}

export interface CheckProps {
  readonly label: string
  readonly hint?: string | undefined
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
  readonly disabled?: boolean
}

export function Checkbox(props: CheckProps & { readonly switch?: boolean }) {
  return (
    <label class="check">
      <input
        type="checkbox"
        role={props.switch ? 'switch' : undefined}
        classList={{ switch: props.switch ?? false }}
        checked={props.checked}
        disabled={props.disabled}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <CheckWords {...props} />
    </label>
  )
}

export function Switch(props: CheckProps) {
  return <Checkbox {...props} switch />
}

/** Choice is one of several, shown at once; all of them have the same `name`. */
export function Choice(props: CheckProps & { readonly name: string }) {
  return (
    <label class="check">
      <input type="radio" name={props.name} checked={props.checked} disabled={props.disabled} onChange={() => props.onChange(true)} />
      <CheckWords {...props} />
    </label>
  )
}

function CheckWords(props: CheckProps) {
  return (
    <span class="check-words">
      {props.label}
      <Show when={props.hint}>
        <span class="field-hint">{props.hint}</span>
      </Show>
    </span>
  )
}
