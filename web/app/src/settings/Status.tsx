import { createSignal, For, Show } from 'solid-js'
import { EmojiButton } from '../emoji/Opener.tsx'
import { text as core } from '../i18n/en.ts'
import { account, useModel } from '../model/context.ts'
import type { PresenceState } from '../model/model.ts'
import { endWords } from '../notify/pause.ts'
import { Button } from '../ui/Button.tsx'
import { Dialog } from '../ui/Dialog.tsx'
import { Select, TextField } from '../ui/Field.tsx'
import { Icon } from '../ui/Icon.tsx'
import { faceSlightlySmilingPlusIcon } from '../ui/icons.ts'
import { Refused } from '../ui/Refused.tsx'
import { submission } from '../ui/submission.ts'
import { text } from './text.ts'
import './settings.css'

const hour = 3_600_000 // ms

type State = PresenceState | 'automatic' | 'invisible'
type Until = 'kept' | 'never' | 'hour' | 'fourHours' | 'today'

/** Status is what one says of oneself: a few words, and whether one may be disturbed. */
export default function Status(props: { readonly onClose: () => void }) {
  const model = useModel()
  const now = model.presence(account(model)?.me ?? '')
  const [emoji, setEmoji] = createSignal(now.emoji)
  const [words, setWords] = createSignal(now.text)
  const [state, setState] = createSignal<State>(now.state === 'busy' || now.state === 'silent' ? now.state : 'automatic')
  const [until, setUntil] = createSignal<Until>('never')
  // What was chosen, and until when, others don't see: it is asked for, and what was changed meanwhile stays.
  const [kept, setKept] = createSignal<number>()
  model.profile.status().then(
    (chosen) => {
      if (state() === 'automatic') setState(chosen.state)
      if (chosen.until === undefined || until() !== 'never') return
      setKept(chosen.until)
      setUntil('kept')
    },
    () => undefined, // it is chosen anew
  )
  const suggestions = () =>
    [
      ['📅', text().status.meeting],
      ['🎧', text().status.focus],
      ['🥗', text().status.lunch],
      ['🚆', text().status.travelling],
      ['🤒', text().status.ill],
    ] as const
  const ends = (): number | undefined => {
    switch (until()) {
      case 'kept':
        return kept()
      case 'never':
        return undefined
      case 'hour':
        return Date.now() + hour
      case 'fourHours':
        return Date.now() + 4 * hour
      case 'today':
        return new Date().setHours(24, 0, 0, 0)
    }
  }
  const { busy, error, submit } = submission(async () => {
    await model.profile.setStatus({ state: state(), emoji: emoji().trim(), text: words().trim(), until: ends() })
    props.onClose()
  })
  return (
    <Dialog
      title={text().status.title}
      onClose={props.onClose}
      foot={
        <>
          <Button
            kind="quiet"
            onClick={() => {
              setEmoji('')
              setWords('')
              setState('automatic')
            }}
          >
            {text().status.clear}
          </Button>
          <Button onClick={props.onClose}>{core().cancel}</Button>
          <Button kind="primary" busy={busy()} onClick={() => submit()}>
            {text().save}
          </Button>
        </>
      }
    >
      <form class="page-inside" novalidate onSubmit={submit}>
        <div class="status-words">
          <div class="field">
            <span class="field-label" aria-hidden="true">
              {text().status.emoji}
            </span>
            <EmojiButton class="emoji-button" label={emoji() ? text().status.emojiNow(emoji()) : text().status.emoji} align="start" onPick={setEmoji}>
              <Show when={emoji()} fallback={<Icon path={faceSlightlySmilingPlusIcon} />}>
                <span aria-hidden="true">{emoji()}</span>
              </Show>
            </EmojiButton>
          </div>
          <TextField autofocus label={text().status.what} autocomplete="off" maxlength={100} value={words()} onInput={setWords} />
        </div>
        <ul class="status-ideas" aria-label={text().status.suggestions}>
          <For each={suggestions()}>
            {([sign, idea]) => (
              <li>
                <Button
                  size="small"
                  onClick={() => {
                    setEmoji(sign)
                    setWords(idea)
                  }}
                >
                  <span aria-hidden="true">{sign}</span>
                  {idea}
                </Button>
              </li>
            )}
          </For>
        </ul>
        <Select<State>
          label={text().status.state}
          hint={state() === 'silent' ? text().status.silentHint : state() === 'busy' ? text().status.busyHint : undefined}
          value={state()}
          options={[
            ['automatic', text().status.automatic],
            ['busy', text().status.busy],
            ['away', text().status.away],
            ['silent', text().status.silent],
            ['invisible', text().status.invisible],
          ]}
          onChange={setState}
        />
        <Select<Until>
          label={text().status.until}
          hint={until() !== 'never' && state() !== 'automatic' && (words().trim() !== '' || emoji() !== '') ? text().status.untilHint : undefined}
          value={until()}
          options={[
            ...(kept() === undefined ? [] : [['kept', endWords(kept() ?? 0, Date.now())] as const]),
            ['never', text().status.never],
            ['hour', text().status.hour],
            ['fourHours', text().status.fourHours],
            ['today', text().status.today],
          ]}
          onChange={setUntil}
        />
        <Show when={error()}>
          <Refused error={error()} />
        </Show>
        <button type="submit" hidden />
      </form>
    </Dialog>
  )
}
