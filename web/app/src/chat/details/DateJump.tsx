import { createMemo, createSignal, createUniqueId, For } from 'solid-js'
import { direction, locale } from '../../i18n/locale.ts'
import { useModel } from '../../model/context.ts'
import { useShell } from '../../shell/context.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { chevronLeftIcon, chevronRightIcon } from '../../ui/icons.ts'
import { showPlace } from '../places.ts'
import { midnight, monthsOn, stepped, weeks } from './days.ts'
import { dayFull, dayOfMonth, firstWeekday, monthName, weekdayName } from './format.ts'
import { text } from './text.ts'
import './details.css'

/** DateJump chooses a day of the channel on the screen, and goes to the first message of it. */
export default function DateJump(props: { readonly onClose: () => void }) {
  const model = useModel()
  const shell = useShell()
  const id = createUniqueId()
  const today = midnight(Date.now())
  const channel = () => model.channel(shell.channel() ?? '')
  const oldest = () => (channel()?.created ? midnight(channel()?.created ?? 0) : midnight(0))
  const within = (ms: number) => Math.max(oldest(), Math.min(today, ms))
  const [day, setDay] = createSignal(today)
  const first = firstWeekday()
  const shown = createMemo(() => weeks(day(), first))
  let grid!: HTMLTableElement

  const move = (to: number) => {
    setDay(within(to))
    grid.querySelector<HTMLElement>('[tabindex="0"]')?.focus()
  }
  const go = (ms: number) => {
    const here = shell.channel()
    props.onClose()
    if (here !== undefined) showPlace(here, { kind: 'time', ms })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const to = stepped(day(), event.key, first, direction(locale()) === 'rtl' ? -1 : 1)
    if (to === undefined) return
    event.preventDefault()
    move(to)
  }
  const month = (step: 1 | -1) => setDay(within(monthsOn(day(), step)))
  const sameMonth = (a: number, b: number) => new Date(a).getMonth() === new Date(b).getMonth()

  return (
    <Dialog title={text().date.title} onClose={props.onClose} name="date-jump">
      <div class="date-quick">
        <Button size="small" onClick={() => go(today)}>
          {text().date.today}
        </Button>
        <Button size="small" onClick={() => go(midnight(today, -1))}>
          {text().date.yesterday}
        </Button>
        <Button size="small" onClick={() => go(midnight(today, -7))}>
          {text().date.week}
        </Button>
        <Button size="small" onClick={() => go(oldest())}>
          {text().date.beginning}
        </Button>
      </div>
      <div class="date-month">
        <IconButton icon={chevronLeftIcon} mirrored label={text().date.earlier} onClick={() => month(-1)} />
        <p class="strong" id={id} aria-live="polite">
          {monthName(day())}
        </p>
        <IconButton icon={chevronRightIcon} mirrored label={text().date.later} onClick={() => month(1)} />
      </div>
      <table ref={grid} class="date-grid" role="grid" aria-label={text().date.month(monthName(day()))} aria-describedby={`${id}-keys`} onKeyDown={onKeyDown}>
        <thead>
          <tr>
            <For each={shown()[0]}>
              {(ms) => (
                <th scope="col" class="date-weekday">
                  <span aria-hidden="true">{weekdayName(ms, 'narrow')}</span>
                  <span class="unseen">{weekdayName(ms, 'long')}</span>
                </th>
              )}
            </For>
          </tr>
        </thead>
        <tbody>
          <For each={shown()}>
            {(week) => (
              <tr>
                <For each={week}>
                  {(ms) => (
                    <td class="date-cell" aria-selected={ms === day()}>
                      <button
                        type="button"
                        class="date-day"
                        classList={{ 'date-other': !sameMonth(ms, day()), 'date-today': ms === today }}
                        autofocus={ms === day()}
                        tabIndex={ms === day() ? 0 : -1}
                        disabled={ms > today || ms < oldest()}
                        aria-label={dayFull(ms)}
                        aria-current={ms === today ? 'date' : undefined}
                        onClick={() => go(ms)}
                      >
                        {dayOfMonth(ms)}
                      </button>
                    </td>
                  )}
                </For>
              </tr>
            )}
          </For>
        </tbody>
      </table>
      <p class="faint date-keys" id={`${id}-keys`}>
        {text().date.keys}
      </p>
    </Dialog>
  )
}
