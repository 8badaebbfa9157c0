import { useModel } from '../model/context.ts'
import { EmptyState } from '../ui/Empty.tsx'
import { Icon } from '../ui/Icon.tsx'
import { hashIcon } from '../ui/icons.ts'
import { Paged } from '../ui/Paged.tsx'
import { text } from './text.ts'
import '../people/people.css'

export default function AdminChannels() {
  const model = useModel()
  return (
    <section class="settings-part">
      <header class="settings-head">
        <h2>{text().pages.channels}</h2>
        <p class="soft">{text().channels.lead}</p>
      </header>
      <Paged
        failed={text().failed}
        more={text().more}
        load={(page) => model.browse('', page, false)}
        empty={<EmptyState title={text().channels.none} words={text().channels.noneWhy} />}
        row={(channel) => (
          <li>
            <a class="person-row" href={`/c/${channel.id}`}>
              <span class="channel-sign">
                <Icon path={hashIcon} />
              </span>
              <span class="person-words">
                <span class="strong clip">{channel.name}</span>
                <span class="faint clip">{channel.topic}</span>
              </span>
              <span class="faint numbers">{text().channels.members(channel.members)}</span>
            </a>
          </li>
        )}
      />
    </section>
  )
}
