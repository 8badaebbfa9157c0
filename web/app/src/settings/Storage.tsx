import { createResource, Match, Show, Switch } from 'solid-js'
import { number } from '../i18n/format.ts'
import { useModel } from '../model/context.ts'
import { Banner } from '../ui/Banner.tsx'
import { Button } from '../ui/Button.tsx'
import { text } from './text.ts'

const megabyte = 1e6 // bytes, as browsers and disks count them

/** Storage is what this device keeps for offline, and whether the browser may clear it. */
export function Storage() {
  const model = useModel()
  const [room, { refetch }] = createResource(measure)
  const keep = async () => {
    await navigator.storage.persist() // some browsers ask the person; where it is refused the words stay as they are
    await refetch()
  }
  return (
    <section class="settings-part">
      <header class="settings-head">
        <h2>{text().storage.title}</h2>
        <p class="soft">{text().storage.lead}</p>
      </header>
      <Switch>
        <Match when={model.storage() === 'off' || room.latest === 'unknown'}>
          <Banner kind="warn">{text().storage.unknown}</Banner>
        </Match>
        <Match when={measured(room.latest)}>
          {(now) => (
            <>
              <p>{text().storage.used(number(Math.round(now().used / megabyte)))}</p>
              <Show when={!now().persisted} fallback={<Banner>{text().storage.persisted}</Banner>}>
                <Banner
                  does={
                    <Button size="small" onClick={() => void keep()}>
                      {text().storage.persist}
                    </Button>
                  }
                >
                  {text().storage.persistWhy}
                </Banner>
              </Show>
            </>
          )}
        </Match>
      </Switch>
    </section>
  )
}

interface Room {
  /** Bytes. */
  readonly used: number
  readonly persisted: boolean
}

const measured = (room: Room | 'unknown' | undefined) => (room === 'unknown' ? undefined : room)

async function measure(): Promise<Room | 'unknown'> {
  if (!('storage' in navigator)) return 'unknown' // by plain HTTP from elsewhere
  try {
    const [{ usage = 0 }, persisted] = await Promise.all([navigator.storage.estimate(), navigator.storage.persisted()])
    return { used: usage, persisted }
  } catch {
    return 'unknown'
  }
}
