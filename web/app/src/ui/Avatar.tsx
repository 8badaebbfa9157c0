import { Show } from 'solid-js'
import { Dynamic } from 'solid-js/web'
import { text } from '../i18n/en.ts'
import type { Presence, PresenceState } from '../model/model.ts'
import { initials, tone } from './tone.ts'
import './small.css'

export interface AvatarProps {
  readonly id: string
  readonly name: string
  readonly size?: 'large' | 'huge' | undefined
  readonly presence?: Presence | undefined
}

/** Avatar stands beside a name, which says who it is: itself it is silent, but for the presence. */
export function Avatar(props: AvatarProps) {
  return (
    <span class="avatar" classList={{ 'avatar-large': props.size === 'large', 'avatar-huge': props.size === 'huge' }} data-tone={tone(props.id)}>
      <span aria-hidden="true">{initials(props.name)}</span>
      <Show when={props.presence}>{(presence) => <PresenceDot presence={presence()} />}</Show>
    </span>
  )
}

/** A disc is here, a ring is gone, a crescent is away, a square is busy, a bar forbids: each is known without its colour. */
const shapes: Readonly<Record<PresenceState, () => unknown>> = {
  online: () => <circle cx="5" cy="5" r="5" fill="currentColor" />,
  away: () => (
    <>
      <circle cx="5" cy="5" r="5" fill="currentColor" />
      <circle cx="7.2" cy="3" r="3.6" class="presence-hole" />
    </>
  ),
  busy: () => <rect x="0.4" y="0.4" width="9.2" height="9.2" rx="1.6" fill="currentColor" />,
  silent: () => (
    <>
      <circle cx="5" cy="5" r="5" fill="currentColor" />
      <rect x="2" y="4" width="6" height="2" rx="1" class="presence-hole" />
    </>
  ),
  offline: () => <circle cx="5" cy="5" r="3.9" fill="none" stroke="currentColor" stroke-width="1.9" />,
  unknown: () => <circle cx="5" cy="5" r="3.9" fill="none" stroke="currentColor" stroke-width="1.9" stroke-dasharray="2 2" />,
}

/** presenceWords is a presence as text: the custom status goes first. */
export function presenceWords(presence: Presence): string {
  const state = text().presence[presence.state]
  return presence.text ? `${presence.text}, ${state}` : state
}

/** PresenceDot says its state to screen readers, and shows it as a tooltip. */
export function PresenceDot(props: { readonly presence: Presence }) {
  return (
    <span class="presence" data-state={props.presence.state} data-tip={presenceWords(props.presence)}>
      <svg viewBox="0 0 10 10" aria-hidden="true">
        <Dynamic component={shapes[props.presence.state] as () => Element} />
      </svg>
      <span class="unseen">{text().presence[props.presence.state]}</span>
    </span>
  )
}
