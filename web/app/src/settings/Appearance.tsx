import { For } from 'solid-js'
import { locale } from '../i18n/locale.ts'
import { prefer, preferences, type Preferences } from '../shell/preferences.ts'
import { Select } from '../ui/Field.tsx'
import { text } from './text.ts'

export default function Appearance() {
  const themes = () =>
    [
      ['system', text().appearance.system],
      ['light', text().appearance.light],
      ['dark', text().appearance.dark],
    ] as const
  /** Languages for tests are offered only where one of them is chosen already: in the browser's list, in what is kept, or by the gallery. */
  const pseudo = () => (locale() === 'en' ? [] : ([['pseudo', text().appearance.pseudo], ['pseudo-rtl', text().appearance.pseudoRtl]] as const))
  return (
    <section class="settings-part">
      <header class="settings-head">
        <h2>{text().pages.appearance}</h2>
        <p class="soft">{text().appearance.lead}</p>
      </header>
      <fieldset>
        <legend class="settings-legend">{text().appearance.theme}</legend>
        <div class="themes">
          <For each={themes()}>
            {([theme, name]) => (
              <label class="theme" classList={{ 'theme-chosen': preferences().theme === theme }}>
                <span class={`theme-view theme-view-${theme}`} aria-hidden="true">
                  <i />
                  <i />
                </span>
                <span class="theme-name">
                  <input type="radio" name="theme" checked={preferences().theme === theme} onChange={() => prefer({ theme })} />
                  {name}
                </span>
              </label>
            )}
          </For>
        </div>
      </fieldset>
      <Select<Preferences['contrast']>
        label={text().appearance.contrast}
        value={preferences().contrast}
        options={[
          ['system', text().appearance.system],
          ['more', text().appearance.more],
          ['usual', text().appearance.usual],
        ]}
        onChange={(contrast) => prefer({ contrast })}
      />
      <Select<Preferences['motion']>
        label={text().appearance.motion}
        value={preferences().motion}
        options={[
          ['system', text().appearance.system],
          ['less', text().appearance.less],
        ]}
        onChange={(motion) => prefer({ motion })}
      />
      <Select<Preferences['density']>
        label={text().appearance.density}
        value={preferences().density}
        options={[
          ['roomy', text().appearance.roomy],
          ['compact', text().appearance.compact],
        ]}
        onChange={(density) => prefer({ density })}
      />
      <Select<Preferences['locale']>
        label={text().appearance.language}
        value={preferences().locale}
        options={[
          ['system', text().appearance.system],
          ['en', text().appearance.english],
          ...pseudo(),
        ]}
        onChange={(locale) => prefer({ locale })}
      />
    </section>
  )
}
