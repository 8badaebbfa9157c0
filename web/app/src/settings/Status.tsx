import { createSignal, For, Show } from 'solid-js'
import { EmojiButton } from '../emoji/Opener.tsx'
import { text as core } from '../i18n/en.ts'
import { useModel } from '../model/context.ts'
import type { PresenceState, Status as Chosen } from '../model/model.ts'
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
  // What was chosen is not what others see, who may see one as offline. It is asked for as well, and what was changed meanwhile stays.
  const [known, setKnown] = createSignal<Chosen | undefined>(model.status())
  const [newEmoji, setEmoji] = createSignal<string>()
  const [newWords, setWords] = createSignal<string>()
  const [newState, setState] = createSignal<State>()
  const [newUntil, setUntil] = createSignal<Until>()
  const kept = () => known()?.until
  const emoji = () => newEmoji() ?? known()?.emoji ?? ''
  const words = () => newWords() ?? known()?.text ?? ''
  const state = () => newState() ?? known()?.state ?? 'automatic'
  const until = () => newUntil() ?? (kept() === undefined ? 'never' : 'kept')
  const ask = async () => setKnown(await model.profile.status())
  ask().catch(() => undefined) // it is asked for again before it is overwritten
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
    if (known() === undefined) await ask() // what it says there must not be erased by what is not known here
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
              setUntil('never')
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
