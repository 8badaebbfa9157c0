import { createUniqueId, Index, Show, type JSX } from 'solid-js'
import { number } from '../i18n/format.ts'
import './small.css'

export interface TabsProps<V extends string> {
  readonly label: string
  /** `count`: what waits there, as words would say it behind the name; undefined or 0: nothing. */
  readonly tabs: readonly (readonly [value: V, name: string, count?: number])[]
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
        <Index each={props.tabs}>
          {(tab) => (
            <button
              type="button"
              class="tab"
              role="tab"
              id={`${id}-${tab()[0]}`}
              data-value={tab()[0]}
              aria-selected={props.value === tab()[0]}
              aria-controls={`${id}-panel`}
              tabIndex={props.value === tab()[0] ? 0 : -1}
              onClick={() => props.onChange(tab()[0])}
            >
              {tab()[1]}{' '}
              <Show when={tab()[2]}>{(n) => <span class="tab-count numbers">{number(n())}</span>}</Show>
            </button>
          )}
        </Index>
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${props.value}`}>
        {props.children}
      </div>
    </>
  )
}
