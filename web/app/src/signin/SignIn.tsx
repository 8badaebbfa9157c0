import { batch, createResource, createSignal, lazy, Match, Show, Suspense, Switch, type JSX } from 'solid-js'
import { explain } from '../i18n/refusals.ts'
import { useAccess } from '../model/context.ts'
import type { Link } from '../model/model.ts'
import { later } from '../offline/version.ts'
import { Banner } from '../ui/Banner.tsx'
import { Button } from '../ui/Button.tsx'
import { PasswordField, TextField } from '../ui/Field.tsx'
import { Mark } from '../ui/Icon.tsx'
import { circleAlertIcon } from '../ui/icons.ts'
import { Refused } from '../ui/Refused.tsx'
import { Hall } from '../ui/Seats.tsx'
import { FirstSteps } from './FirstSteps.tsx'
import { Join } from './Join.tsx'
import { Reset } from './Reset.tsx'
import { SetUp } from './SetUp.tsx'
import { submission } from '../ui/submission.ts'
import { text } from './text.ts'
import type { Welcome } from './welcome.ts'
import './signin.css'

const Offer = lazy(() => import('../offline/Offer.tsx'))

/** SignIn is every way in: by password, and by the three kinds of links. */
export default function SignIn(props: { readonly welcome: Welcome }) {
  const access = useAccess()
  const [link] = createResource(props.welcome.secret, (secret) => access.describe(secret))
  const secret = () => props.welcome.secret() ?? ''
  const is = <K extends Link['kind']>(kind: K) => {
    const found = link.error === undefined ? link() : undefined
    return props.welcome.secret() !== undefined && found?.kind === kind ? (found as Extract<Link, { kind: K }>) : undefined
  }
  /** The workspace in which somebody is signed in here, whom the link would sign out. */
  const staying = () => {
    const stage = access.stage()
    const ofThem = link.error === undefined && link()?.kind === 'reset' && (link() as Extract<Link, { kind: 'reset' }>).slug === (stage.kind === 'signed-in' ? stage.account.workspace.slug : '')
    return props.welcome.secret() !== undefined && stage.kind === 'signed-in' && !ofThem ? stage.account.workspace.name : undefined
  }
  return (
    <div class="signin">
      <Hall />
      <main class="signin-main" id="main" tabIndex={-1}>
        <Show when={staying()}>
          {(workspace) => (
            <div class="signin-staying">
              <Banner
                kind="warn"
                does={
                  <Button size="small" onClick={() => props.welcome.forget()}>
                    {text().stay}
                  </Button>
                }
              >
                {text().staying(workspace())}
              </Banner>
            </div>
          )}
        </Show>
        <Switch fallback={<Password welcome={props.welcome} />}>
          <Match when={props.welcome.first()}>
            <FirstSteps onDone={() => props.welcome.setFirst(false)} />
          </Match>
          <Match when={props.welcome.secret() !== undefined && link.error !== undefined}>
            <Sheet title={text().link.title}>
              <Banner kind="danger" icon={circleAlertIcon}>
                {explain(link.error)}
              </Banner>
              <Button wide size="large" onClick={() => props.welcome.forget()}>
                {text().link.toSignIn}
              </Button>
            </Sheet>
          </Match>
          <Match when={is('setup')}>
            <SetUp
              secret={secret()}
              onDone={() => {
                batch(() => { // the steps that follow need the model, which is there once the link is not
                  props.welcome.forget()
                  props.welcome.setFirst(true)
                })
              }}
            />
          </Match>
          <Match when={is('join')}>{(found) => <Join link={found()} secret={secret()} onDone={() => props.welcome.forget()} />}</Match>
          <Match when={is('reset')}>{(found) => <Reset link={found()} secret={secret()} onDone={() => props.welcome.forget()} />}</Match>
          <Match when={props.welcome.secret() !== undefined}>
            <Sheet title={text().link.reading}>
              <span class="spinner" />
            </Sheet>
          </Match>
        </Switch>
      </main>
      <div class="signin-notice" role="status">
        <Suspense>
          <Show when={later() && props.welcome.secret() === undefined && !props.welcome.first()}>{/* a one-time link would not outlive it */}
            <Offer />
          </Show>
        </Suspense>
      </div>
    </div>
  )
}

/** Sheet is what all of them stand on. */
export function Sheet(props: { readonly title: string; readonly lead?: string; readonly step?: string; readonly foot?: JSX.Element; readonly children: JSX.Element }) {
  return (
    <section class="signin-sheet">
      <header class="signin-head">
        <div class="signin-brand">
          <span class="signin-sign">
            <Mark />
            {text().brand}
          </span>
          <Show when={props.step}>
            <span class="faint">{props.step}</span>
          </Show>
        </div>
        <h1>{props.title}</h1>
        <Show when={props.lead}>
          <p class="soft">{props.lead}</p>
        </Show>
      </header>
      {props.children}
      <Show when={props.foot}>
        <p class="signin-foot">{props.foot}</p>
      </Show>
    </section>
  )
}

function Password(props: { readonly welcome: Welcome }) {
  const access = useAccess()
  const expired = () => {
    const stage = access.stage()
    return stage.kind === 'expired' ? stage : undefined
  }
  const [other, setOther] = createSignal(false)
  const [workspace, setWorkspace] = createSignal(access.lastWorkspace)
  const [handle, setHandle] = createSignal('')
  const [password, setPassword] = createSignal('')
  const [tried, setTried] = createSignal(false)
  const again = () => (other() ? undefined : expired())
  const missing = (value: string) => (tried() && value === '' ? text().empty : undefined)
  const { busy, error, submit } = submission(async () => {
    setTried(true)
    const slug = again()?.workspace.slug ?? workspace().trim().toLowerCase()
    const who = again()?.handle ?? handle().trim().toLowerCase().replace(/^@/, '')
    if (slug === '' || who === '' || password() === '') return
    await access.signIn(slug, who, password())
    props.welcome.forget()
  })
  return (
    <Sheet
      title={again() ? text().expired.title : text().title}
      lead={again() ? text().expired.lead(again()?.workspace.name ?? '') : other() ? text().expired.otherLead(expired()?.handle ?? '') : text().lead}
      foot={again() ? <button type="button" class="signin-link" onClick={() => setOther(true)}>{text().expired.other}</button> : text().forgotten}
    >
      <form class="signin-form" novalidate onSubmit={submit}>
        <Show when={props.welcome.lost()}>
          <Banner kind="warn" icon={circleAlertIcon}>
            {text().link.lost}
          </Banner>
        </Show>
        <Show
          when={again()}
          fallback={
            <>
              <TextField
                large
                label={text().workspace}
                hint={text().workspaceHint}
                name="organization"
                autocomplete="organization"
                autocapitalize="off"
                spellcheck={false}
                autofocus={access.lastWorkspace === ''}
                value={workspace()}
                error={missing(workspace())}
                onInput={setWorkspace}
              />
              <TextField
                large
                label={text().handle}
                before="@"
                name="username"
                autocomplete="username"
                autocapitalize="off"
                spellcheck={false}
                autofocus={access.lastWorkspace !== ''}
                value={handle()}
                error={missing(handle())}
                onInput={setHandle}
              />
            </>
          }
        >
          {(known) => <TextField large label={text().handle} before="@" name="username" autocomplete="username" readonly value={known().handle} onInput={() => undefined} />}
        </Show>
        <PasswordField large label={text().password} name="password" autocomplete="current-password" value={password()} error={missing(password())} onInput={setPassword} />
        <Refused error={error()} />
        <Button kind="primary" size="large" wide type="submit" busy={busy()}>
          {text().submit}
        </Button>
      </form>
    </Sheet>
  )
}
