import { text as core } from '../i18n/en.ts'
import { Button } from '../ui/Button.tsx'
import { EmptyState } from '../ui/Empty.tsx'
import { text } from './text.ts'

/** Unable is for who has a browser that keeps nothing: nobody could stay signed in. */
export default function Unable() {
  return (
    <EmptyState title={text().storage.none} words={text().storage.noneWhy}>
      <Button kind="primary" onClick={() => window.location.reload()}>
        {core().retry}
      </Button>
    </EmptyState>
  )
}
