import { EmptyState } from '../ui/Empty.tsx'
import { text } from './text.ts'

/** Beginning is what a channel without messages shows. */
export function Beginning(props: { readonly name: string }) {
  return <EmptyState title={text().begin(props.name)} words={text().beginWhy} />
}
