import { text } from '../i18n/en.ts'
import { Dialog } from '../ui/Dialog.tsx'
import { Icon } from '../ui/Icon.tsx'
import { searchIcon } from '../ui/icons.ts'

/** PaletteComes stands for the palette until its script is there: what is typed meanwhile would go into the channel. */
export function PaletteComes(props: { readonly words: string; readonly onWords: (words: string) => void; readonly onClose: () => void }) {
  return (
    <Dialog title={text().shell.search} name="palette" bare wide onClose={props.onClose}>
      <div class="palette-field">
        <Icon path={searchIcon} />
        <input type="text" autofocus aria-label={text().shell.search} spellcheck={false} autocomplete="off" value={props.words} onInput={(event) => props.onWords(event.currentTarget.value)} />
      </div>
    </Dialog>
  )
}
