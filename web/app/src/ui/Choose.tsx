import { For } from 'solid-js'
import { Icon } from './Icon.tsx'
import { chevronDownIcon } from './icons.ts'
import './field.css'

export interface ChooseProps<V extends string> {
  /** Its name; not shown. */
  readonly label: string
  readonly value: V
  readonly options: readonly (readonly [value: V, name: string])[]
  readonly onChange: (value: V) => void
}

/** Choose is a Select for a row: what it is about stands beside it. */
export function Choose<V extends string>(props: ChooseProps<V>) {
  return (
    <span class="field-box choose">
      <select aria-label={props.label} onChange={(event) => props.onChange(event.currentTarget.value as V)}>
        <For each={props.options}>
          {([value, name]) => (
            <option value={value} selected={value === props.value}>
              {name}
            </option>
          )}
        </For>
      </select>
      <Icon path={chevronDownIcon} small />
    </span>
  )
}
