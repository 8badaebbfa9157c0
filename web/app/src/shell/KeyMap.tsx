import { For, Show } from 'solid-js'
import { text } from '../i18n/en.ts'
import { Dialog } from '../ui/Dialog.tsx'
import { Keys } from '../ui/Kbd.tsx'
import { useShell } from './context.ts'

const groups = ['go', 'do', 'view', 'help'] as const

/** KeyMap lists the commands that have keys. */
export default function KeyMap(props: { readonly onClose: () => void }) {
  const shell = useShell()
  return (
    <Dialog title={text().shell.help} wide onClose={props.onClose}>
      <div class="keymap">
        <For each={groups}>
          {(group) => {
            const commands = () => shell.registry.commands.filter((command) => command.group === group && command.keys)
            return (
              <Show when={commands().length > 0}>
                <section class="keymap-group">
                  <h3>{text().group[group]}</h3>
                  <dl>
                    <For each={commands()}>
                      {(command) => (
                        <div class="keymap-row">
                          <dt>{command.title()}</dt>
                          <dd>
                            <For each={command.keys}>{(chord) => <Keys chord={chord} />}</For>
                          </dd>
                        </div>
                      )}
                    </For>
                  </dl>
                </section>
              </Show>
            )
          }}
        </For>
      </div>
    </Dialog>
  )
}
