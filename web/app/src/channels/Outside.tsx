import { createSignal, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import { useModel } from '../model/context.ts'
import type { Id, Preview } from '../model/model.ts'
import { Banner } from '../ui/Banner.tsx'
import { Button } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { hashIcon } from '../ui/icons.ts'
import { toast } from '../ui/toasts.ts'
import { Glimpse } from './Glimpse.tsx'
import { text } from './text.ts'

/** Outside is a channel that somebody isn't in, where a link has led them: what may be known of it, and the way in. */
export default function Outside(props: { readonly id: Id; readonly preview: Preview }) {
  const model = useModel()
  const [busy, setBusy] = createSignal(false)
  const join = async () => {
    setBusy(true)
    try {
      await model.join(props.id) // then the channel is in its place
    } catch (error) {
      toast(text().browse.joinFailed(props.preview.name), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => void join() } })
    }
    setBusy(false)
  }
  return (
    <div class="channel">
      <header class="channel-head">
        <Icon path={hashIcon} />
        <h1 class="channel-name clip">{props.preview.name}</h1>
        <p class="channel-topic clip">{[text().browse.members(props.preview.members), props.preview.topic].filter((part) => part !== '').join(' · ')}</p>
      </header>
      <div class="page">
        <div class="page-inside preview">
          <Glimpse preview={props.preview} />
        </div>
      </div>
      <div class="channel-silent">
        <Banner
          does={
            <Show when={!props.preview.archived}>
              <Button kind="primary" size="small" busy={busy()} onClick={() => void join()}>
                {text().browse.join}
              </Button>
            </Show>
          }
        >
          {props.preview.archived ? text().browse.archivedOutside : text().browse.outside(props.preview.name)}
        </Banner>
      </div>
    </div>
  )
}
