import { createSignal, lazy, Show, Suspense } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import { may, useModel } from '../model/context.ts'
import type { Browsed } from '../model/model.ts'
import { useShell } from '../shell/context.ts'
import { newChannel } from '../shell/module.ts'
import { Button } from '../ui/Button.tsx'
import { EmptyState } from '../ui/Empty.tsx'
import { Choose } from '../ui/Choose.tsx'
import { TextField } from '../ui/Field.tsx'
import { Icon } from '../ui/Icon.tsx'
import { hashIcon, plusIcon } from '../ui/icons.ts'
import { Paged } from '../ui/Paged.tsx'
import { toast } from '../ui/toasts.ts'
import { text } from './text.ts'
import '../people/people.css'

const Preview = lazy(() => import('./Preview.tsx'))

/** Browse lists the channels that one may join. */
export default function Browse() {
  const model = useModel()
  const shell = useShell()
  const [words, setWords] = createSignal('')
  const [archived, setArchived] = createSignal(false)
  const [looking, setLooking] = createSignal<Browsed>()
  const [joining, setJoining] = createSignal<string>()
  const join = async (channel: Browsed) => {
    setJoining(channel.id)
    try {
      await model.join(channel.id)
      shell.go(`/c/${channel.id}`)
    } catch (error) {
      toast(text().browse.joinFailed(channel.name), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => void join(channel) } })
    }
    setJoining(undefined)
  }
  return (
    <div class="page">
      <div class="page-inside">
        <header class="page-head">
          <h1 class="page-title">{text().browse.title}</h1>
          <Show when={may(model, 'chat.create_channel')}>
            <Button icon={plusIcon} onClick={() => shell.openDialog(newChannel)}>
              {core().sidebar.newChannel}
            </Button>
          </Show>
        </header>
        <div class="browse-find">
          <TextField label={text().browse.search} type="search" autocomplete="off" maxlength={64} value={words()} onInput={setWords} />
          <Choose
            label={text().browse.which}
            value={archived() ? 'archived' : 'inUse'}
            options={[
              ['inUse', text().browse.inUse],
              ['archived', text().browse.archived],
            ]}
            onChange={(to) => setArchived(to === 'archived')}
          />
        </div>
        <Show when={looking()}>
          {(channel) => (
            <Suspense>
              <Preview
                channel={channel()}
                onClose={() => setLooking(undefined)}
                onJoin={() => {
                  const wanted = channel()
                  setLooking(undefined)
                  void join(wanted)
                }}
              />
            </Suspense>
          )}
        </Show>
        <Paged
          version={`${archived() ? 'archived' : 'inUse'} ${words().trim()}`}
          load={(page) => model.browse(words(), page, archived())}
          failed={text().browse.failed}
          more={text().browse.more}
          empty={<EmptyState title={archived() ? text().browse.noArchived : text().browse.none} words={archived() ? text().browse.noArchivedWhy : text().browse.noneWhy} />}
          row={(channel) => (
            <li class="person-row">
              <span class="channel-sign">
                <Icon path={hashIcon} />
              </span>
              <button type="button" class="person-look" onClick={() => setLooking(channel)}>
                <span class="unseen">{text().browse.preview} </span>
                <span class="strong clip">{channel.name}</span>
                <span class="faint clip">
                  {text().browse.members(channel.members)}
                  {channel.topic && ` · ${channel.topic}`}
                </span>
              </button>
              <Show
                when={channel.joined}
                fallback={channel.archived ? <span class="pill">{text().browse.archived}</span> :
                  <Button size="small" busy={joining() === channel.id} onClick={() => void join(channel)} aria-label={`${text().browse.join}: ${channel.name}`}>
                    {text().browse.join}
                  </Button>
                }
              >
                <span class="pill">{text().browse.joined}</span>
                <a class="button button-quiet button-small" href={`/c/${channel.id}`} aria-label={`${text().browse.open}: ${channel.name}`}>
                  {text().browse.open}
                </a>
              </Show>
            </li>
          )}
        />
      </div>
    </div>
  )
}
