import { lazy, Show, Suspense } from 'solid-js'
import { useModel } from '../model/context.ts'
import { later } from '../offline/version.ts'
import { ConnectionBanner } from './ConnectionBanner.tsx'

const Offer = lazy(() => import('../offline/Offer.tsx'))
const StorageNotice = lazy(() => import('../offline/StorageNotice.tsx'))

/** Notices are what the application says of itself. They lie over the sidebar's end (narrow: below the top bar), one above the other, so that nothing moves. */
export function Notices() {
  const model = useModel()
  return (
    <div class="notices">
      <div role="status">
        <Suspense>
          <Show when={model.storage() !== 'kept'}>
            <StorageNotice />
          </Show>
        </Suspense>
      </div>
      <div role="status">
        <Suspense>
          <Show when={later()}>
            <Offer />
          </Show>
        </Suspense>
      </div>
      <ConnectionBanner />
    </div>
  )
}
