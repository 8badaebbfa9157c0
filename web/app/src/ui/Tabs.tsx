import { createUniqueId, For, type JSX } from 'solid-js'
import './small.css'

export interface TabsProps<V extends string> {
  readonly label: string
  readonly tabs: readonly (readonly [value: V, name: string])[]
  readonly value: V
  readonly onChange: (value: V) => void
  readonly children: JSX.Element
}

/** Tabs choose what is below; arrows go along them. */
export function Tabs<V extends string>(props: TabsProps<V>) {
  const id = createUniqueId()
  const onKeyDown = (event: KeyboardEvent & { readonly currentTarget: HTMLElement }) => {
    const rtl = document.documentElement.dir === 'rtl'
    const step = event.key === (rtl ? 'ArrowLeft' : 'ArrowRight') ? 1 : event.key === (rtl ? 'ArrowRight' : 'ArrowLeft') ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const at = props.tabs.findIndex(([value]) => value === props.value)
    const next = props.tabs[(at + step + props.tabs.length) % props.tabs.length]
    if (!next) return
    props.onChange(next[0])
    event.currentTarget.querySelector<HTMLElement>(`[data-value="${next[0]}"]`)?.focus()
  }
  return (
    <>
      <div class="tabs" role="tablist" aria-label={props.label} onKeyDown={onKeyDown}>
        <For each={props.tabs}>
          {([value, name]) => (
            <button
              type="button"
              class="tab"
              role="tab"
              id={`${id}-${value}`}
              data-value={value}
              aria-selected={props.value === value}
              aria-controls={`${id}-panel`}
              tabIndex={props.value === value ? 0 : -1}
              onClick={() => props.onChange(value)}
            >
              {name}
            </button>
          )}
        </For>
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${props.value}`}>
        {props.children}
      </div>
    </>
  )
}
