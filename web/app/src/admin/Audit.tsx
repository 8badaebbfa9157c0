import { moment, relative } from '../i18n/format.ts'
import { useModel } from '../model/context.ts'
import { EmptyState } from '../ui/Empty.tsx'
import { auditTarget, auditWords } from './audit.ts'
import { Paged } from '../ui/Paged.tsx'
import { text } from './text.ts'

export default function Audit() {
  const model = useModel()
  return (
    <section class="settings-part">
      <header class="settings-head">
        <h2>{text().pages.audit}</h2>
        <p class="soft">{text().audit.lead}</p>
      </header>
      <Paged
        failed={text().failed}
        more={text().more}
        load={(page) => model.administration.audit(page)}
        empty={<EmptyState title={text().audit.none} words={text().audit.noneWhy} />}
        frame={(rows) => (
          <div class="table-around" tabIndex={0} role="region" aria-label={text().pages.audit}>
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">{text().audit.when}</th>
                  <th scope="col">{text().audit.what}</th>
                  <th scope="col">{text().audit.who}</th>
                  <th scope="col">{text().audit.whom}</th>
                </tr>
              </thead>
              <tbody>{rows}</tbody>
            </table>
          </div>
        )}
        row={(entry) => (
          <tr>
            <td class="faint numbers" data-tip={moment(entry.time)}>
              {relative(entry.time, Date.now())}
            </td>
            <td data-tip={entry.action}>{auditWords(entry)}</td>
            <td>{entry.actor || text().audit.nobody}</td>
            <td data-tip={entry.target === '' ? entry.targetId || undefined : undefined}>{auditTarget(entry)}</td>
          </tr>
        )}
      />
    </section>
  )
}
