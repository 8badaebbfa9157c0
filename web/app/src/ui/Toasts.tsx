import { createEffect, For, Show } from 'solid-js'
import { text } from '../i18n/en.ts'
import { Button, IconButton } from './Button.tsx'
import { Icon } from './Icon.tsx'
import { circleAlertIcon, circleCheckIcon, xIcon } from './icons.ts'
import { dismiss, toasts } from './toasts.ts'
import './small.css'

/** Toasts lie above all, dialogs included. */
export function Toasts() {
  let element!: HTMLDivElement
  createEffect(() => {
    // Shown anew, it comes to lie above dialogs that were opened since.
    if (element.matches(':popover-open')) element.hidePopover()
    if (toasts().length > 0) element.showPopover()
  })
  return (
    <div ref={element} class="toasts" popover="manual" role="region" aria-label={text().toast.region}>
      <For each={toasts()}>
        {(toast) => (
          <div class="toast" classList={{ 'toast-failure': toast.kind === 'failure' }} role={toast.kind === 'failure' ? 'alert' : 'status'}>
            <Icon path={toast.kind === 'failure' ? circleAlertIcon : circleCheckIcon} />
            <div class="toast-words">
              <div class="strong">{toast.words}</div>
              <Show when={toast.cause}>
                <div class="toast-cause">{toast.cause}</div>
              </Show>
            </div>
            <IconButton icon={xIcon} label={text().toast.dismiss} onClick={() => dismiss(toast.id)} />
            <Show when={toast.action}>
              {(action) => (
                <div class="toast-does">
                  <Button
                    size="small"
                    onClick={() => {
                      dismiss(toast.id)
                      action().run()
                    }}
                  >
                    {action().label}
                  </Button>
                </div>
              )}
            </Show>
          </div>
        )}
      </For>
    </div>
  )
}
