// The configuration of this gateway: what runs, a change on trial with its countdown, and the versions.
import {
  BoneBlock,
  BoneRows,
  ErrorState,
  Facts,
  formatStamp,
  messageOf,
  NoPermission,
  PageHeader,
  Panel,
} from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { keys, useConfiguration, useConfigurations } from '../api/queries';
import { Editor } from '../configuration/Editor';
import { Versions } from '../configuration/Versions';
import { Waiting } from '../configuration/Waiting';
import { useMay } from '../session/session';
import { RECORDS } from '../trail';
import css from './ConfigurationPage.module.css';

export default function ConfigurationPage() {
  const may = useMay('configure');
  const queries = useQueryClient();
  const list = useConfigurations(may);
  const versions = list.data?.versions ?? [];
  const running = versions.find((v) => v.running);
  const before = versions.find((v) => running && v.version < running.version && v.state !== 'reverted');
  const document = useConfiguration(running?.version);
  const renew = () =>
    Promise.all(
      [keys.configuration, keys.overview, keys.devices].map((queryKey) =>
        queries.invalidateQueries({ queryKey }),
      ),
    );
  if (!may) {
    return (
      <>
        <PageHeader title="Configuration" trail={RECORDS} />
        <Panel>
          <NoPermission
            what="Your role does not show the configuration"
            who="Technicians, installers and administrators can."
          />
        </Panel>
      </>
    );
  }
  const until = (running?.state === 'waiting' ? running.until : undefined) ?? null;
  return (
    <>
      <PageHeader
        title="Configuration"
        trail={RECORDS}
        subtitle="What this gateway does, in numbered versions"
      />
      <div className={css.stack}>
        {running && until !== null && (
          <Waiting version={running} before={before?.version ?? null} until={until} onDone={renew} />
        )}
        {list.error && !list.data && (
          <Panel>
            <ErrorState
              what="The versions could not be fetched"
              message={messageOf(list.error)}
              onRetry={() => void list.refetch()}
            />
          </Panel>
        )}
        {list.isPending && (
          <Panel title="What runs">
            <BoneBlock height={44} />
          </Panel>
        )}
        {running && (
          <Panel title="What runs">
            <Facts
              facts={[
                { name: 'Version', value: running.version },
                { name: 'Applied', value: formatStamp(running.at) },
                { name: 'By', value: running.source === 'file' ? 'the file' : running.actor },
                { name: 'Hash', value: <span className="r-mono">{running.sha256.slice(0, 12)}</span> },
              ]}
            />
          </Panel>
        )}
        {document.error && !document.data && (
          <Panel title="Document">
            <ErrorState
              what="The document that runs could not be fetched"
              message={messageOf(document.error)}
              onRetry={() => void document.refetch()}
            />
          </Panel>
        )}
        {(list.isPending || (running && document.isPending)) && (
          <Panel title="Document">
            <BoneBlock height={320} />
          </Panel>
        )}
        {document.data && (
          <Editor
            key={document.data.version.version}
            running={document.data.document}
            blocked={until === null ? null : 'Keep or take back the change on trial first.'}
            onDone={renew}
          />
        )}
        {list.isPending && (
          <Panel title="Versions" flush>
            <BoneRows rows={4} />
          </Panel>
        )}
        {list.data && (
          <Panel title="Versions" flush>
            <Versions versions={versions} free={until === null} onDone={renew} />
          </Panel>
        )}
      </div>
    </>
  );
}
