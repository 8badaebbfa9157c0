import { createResource, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import { useModel } from '../model/context.ts'
import type { Browsed } from '../model/model.ts'
import { Button } from '../ui/Button.tsx'
import { Dialog } from '../ui/Dialog.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Glimpse } from './Glimpse.tsx'
import { text } from './text.ts'

/** Preview shows what a channel is before one joins it: what it is for, who is in it, what was said last. */
export default function Preview(props: { readonly channel: Browsed; readonly onJoin: () => void; readonly onClose: () => void }) {
  const model = useModel()
  const [preview, { refetch }] = createResource(() => props.channel.id, (id) => model.preview(id))
  return (
    <Dialog
      title={`#${props.channel.name}`}
      onClose={props.onClose}
      foot={
        <>
          <Button onClick={() => props.onClose()}>{core().close}</Button>
          <Show
            when={props.channel.joined || props.channel.archived}
            fallback={
              <Button kind="primary" autofocus onClick={() => props.onJoin()}>
                {text().browse.join}
              </Button>
            }
          >
            <Show when={props.channel.joined}>
              <a class="button button-primary" href={`/c/${props.channel.id}`} onClick={() => props.onClose()}>
                {text().browse.open}
              </a>
            </Show>
          </Show>
        </>
      }
    >
      <div class="preview">
        <p class="faint">{[text().browse.members(props.channel.members), props.channel.topic].filter((part) => part !== '').join(' · ')}</p>
        <Show when={preview.error === undefined} fallback={<EmptyState title={text().browse.previewFailed} words={explain(preview.error)}><Button onClick={() => void refetch()}>{core().retry}</Button></EmptyState>}>
          <Show when={preview()} fallback={<Skeleton rows={4} />}>
            {(found) => <Glimpse preview={found()} />}
          </Show>
        </Show>
      </div>
    </Dialog>
  )
}
