import { EmptyState } from '../ui/Empty.tsx'
import { text } from './text.ts'

/** Beginning is what a channel without messages shows; `between`: a conversation. */
export function Beginning(props: { readonly name: string; readonly between: boolean }) {
  return <EmptyState title={props.between ? text().beginWith(props.name) : text().begin(props.name)} words={props.between ? text().beginBetween : text().beginWhy} />
}
