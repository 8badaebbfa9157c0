import { createEffect, createSignal, on, onCleanup, onMount, Show } from 'solid-js'
import { useModel } from '../model/context.ts'
import { Banner } from '../ui/Banner.tsx'
import { Button } from '../ui/Button.tsx'
import { clockIcon } from '../ui/icons.ts'
import type { Place } from './room.ts'
import { text } from './text.ts'

/** What shows that the reader has begun to do something where they are: from then on nobody takes them away. */
const moves = ['wheel', 'touchmove', 'pointerdown', 'keydown'] as const

export interface LaterProps {
  /** Where one was to go. */
  readonly to: Place
  /** Something else is shown meanwhile, which this stands below. */
  readonly shown: boolean
  readonly onGo: () => void
  readonly onDismiss: () => void
}

/** Later is a place that isn't on this device, and couldn't be gone to without a connection: once there is one it goes there, or offers to, if the reader has moved since. */
export function Later(props: LaterProps) {
  const model = useModel()
  const [moved, setMoved] = createSignal(false)
  const online = () => model.connection().kind === 'online'
  let element!: HTMLDivElement
  onMount(() => {
    const around = element.parentElement
    const move = ({ target }: Event) => target instanceof Element && target.closest('.channel-list') && setMoved(true)
    for (const kind of moves) {
      around?.addEventListener(kind, move, { passive: true })
      onCleanup(() => around?.removeEventListener(kind, move))
    }
  })
  createEffect(on(online, (now, before) => now && before === false && !moved() && props.onGo()))
  return (
    <div ref={element} class="channel-silent" hidden={!props.shown}>
      <Banner
        icon={clockIcon}
        does={
          <>
            <Show when={moved() && online()}>
              <Button size="small" onClick={() => props.onGo()}>
                {text().goThere}
              </Button>
            </Show>
            <Button size="small" kind="quiet" onClick={() => props.onDismiss()}>
              {text().dismiss}
            </Button>
          </>
        }
      >
        {props.to.kind === 'time' ? text().dayNotHere : text().messageNotHere} {moved() ? '' : text().goesThere}
      </Banner>
    </div>
  )
}
