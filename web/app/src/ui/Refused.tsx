import { Show } from 'solid-js'
import { Banner } from './Banner.tsx'
import { circleAlertIcon } from './icons.ts'

/** Refused says why something was not done, beside what was pressed. */
export function Refused(props: { readonly error: string | undefined }) {
  return (
    <Show when={props.error}>
      {(error) => (
        <Banner kind="danger" icon={circleAlertIcon}>
          {error()}
        </Banner>
      )}
    </Show>
  )
}
