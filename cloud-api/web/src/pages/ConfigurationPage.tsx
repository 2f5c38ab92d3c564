// The configuration of one gateway from afar: what runs by its own word, a change on trial, another document,
// which may wait for the gateway, and the history.
import {
  BoneRows,
  EmptyState,
  ErrorState,
  Facts,
  formatStamp,
  messageOf,
  NoPermission,
  PageHeader,
  Panel,
  Problems,
  Trial,
} from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import {
  confirmConfiguration,
  revertConfiguration,
  type ConfigurationStep,
  type GatewayConfiguration,
} from '../api/calls';
import { keys, useConfiguration, useGateways } from '../api/queries';
import { Changes } from '../configuration/Changes';
import { Desired } from '../configuration/Desired';
import { Push } from '../configuration/Push';
import { Steps } from '../configuration/Steps';
import { useAsking, type Asking } from '../configuration/useAsking';
import css from '../configuration/configuration.module.css';
import { useMay } from '../session/session';
import { useTrail } from '../trail';

const AWAY = 'The gateway is not connected: this cannot be asked of it now.';
const WAITS =
  'The gateway is not connected: the document waits for it, at most a week, and only the newest counts.';
const TRIAL = 'Keep or take back the change on trial first.';
/** Time to confirm an earlier version in. */
const AGAIN_S = 600;

const NOTHING: readonly ConfigurationStep[] = [];

export default function ConfigurationPage({ id }: { id: string }) {
  const may = useMay('configure');
  const trail = useTrail(id);
  if (!may) {
    return (
      <>
        <PageHeader title="Configuration" trail={trail} />
        <Panel>
          <NoPermission
            what="Your role does not show configurations"
            who="Technicians, installers and administrators of your tenant can."
          />
        </Panel>
      </>
    );
  }
  return (
    <>
      <PageHeader title="Configuration" trail={trail} subtitle="What this gateway runs, by its audit log" />
      <Body id={id} />
    </>
  );
}

/** A first look tells the steps, which tell whether an answer is still waited for. */
function Body({ id }: { id: string }) {
  const first = useConfiguration(id, true);
  const asking = useAsking(id, first.data?.steps ?? NOTHING);
  const configuration = useConfiguration(id, true, asking.waits);
  if (configuration.isPending)
    return (
      <Panel flush>
        <BoneRows rows={6} />
      </Panel>
    );
  if (!configuration.data)
    return (
      <Panel>
        <ErrorState
          what="The configuration could not be fetched"
          message={messageOf(configuration.error)}
          onRetry={() => void configuration.refetch()}
        />
      </Panel>
    );
  return <Loaded id={id} configuration={configuration.data} asking={asking} />;
}

interface LoadedProps {
  id: string;
  configuration: GatewayConfiguration;
  asking: Asking;
}

function Loaded({ id, configuration, asking }: LoadedProps) {
  const queries = useQueryClient();
  const renew = () => queries.invalidateQueries({ queryKey: keys.configuration(id) });
  const connected = useGateways().data?.find((g) => g.id === id)?.connected ?? false;
  const { steps, version } = configuration;
  const until = (configuration.waiting ? configuration.until : undefined) ?? null;
  const running = steps.find((s) => s.action === 'configuration' && s.version === version);
  const answer = asking.answer(steps);
  const away = connected ? null : AWAY;
  const trying = until === null ? null : TRIAL;
  const blocked = away ?? trying;
  const end = (what: 'keep' | 'back') => {
    if (typeof version !== 'number') return;
    asking.ask(
      what,
      what === 'keep' ? confirmConfiguration(id, version) : revertConfiguration(id, { version, reason: '' }),
    );
  };
  const again = (earlier: number) =>
    asking.ask('again', revertConfiguration(id, { version: earlier, reason: '', confirm_seconds: AGAIN_S }));
  const ending = asking.wish === 'keep' || asking.wish === 'back' ? asking.wish : null;
  const trouble = troubleOf(asking, answer);
  return (
    <div className={css.stack}>
      {typeof version === 'number' && until !== null && (
        <Trial
          version={version}
          actor={running?.actor ?? 'somebody'}
          until={until}
          busy={asking.waits ? ending : null}
          blocked={away && `${away} What it has done since is not known here.`}
          failed={ending === null ? '' : trouble}
          onEnd={end}
        >
          {running && <Changes step={running} />}
        </Trial>
      )}
      <Panel title="What runs">
        {typeof version === 'number' ? (
          <Facts facts={factsOf(configuration, running)} />
        ) : (
          <EmptyState title="Not told yet">
            The gateway tells which version it runs as soon as its audit log has come.
          </EmptyState>
        )}
      </Panel>
      {configuration.desired && <Desired gateway={id} desired={configuration.desired} onDone={renew} />}
      <Push gateway={id} asking={asking} answer={answer} blocked={trying} hint={connected ? null : WAITS} />
      <Panel title="History" flush>
        {asking.wish === 'again' && <Problems text={trouble} />}
        {steps.length === 0 ? (
          <EmptyState title="No step yet">
            Each version that is applied, kept, taken back or refused appears here with who did it.
          </EmptyState>
        ) : (
          <Steps
            steps={steps}
            running={version ?? null}
            trial={until === null ? null : (version ?? null)}
            blocked={blocked}
            onAgain={again}
          />
        )}
      </Panel>
    </div>
  );
}

/** Why what was asked did not come, if so. */
function troubleOf(asking: Asking, answer: ConfigurationStep | undefined): string {
  if (asking.failed) return asking.failed;
  if (asking.overdue) return 'The gateway has not answered within a minute; the history says when it does.';
  return answer?.action === 'configuration_refused' ? (answer.reason ?? 'The gateway refused it.') : '';
}

function factsOf(configuration: GatewayConfiguration, running: ConfigurationStep | undefined) {
  const { version, sha256, waiting } = configuration;
  return [
    { name: 'Version', value: waiting ? `${version ?? ''}, on trial` : version },
    ...(running
      ? [
          { name: 'Applied', value: formatStamp(running.at) },
          { name: 'By', value: running.source === 'file' ? 'the file' : running.actor },
        ]
      : []),
    { name: 'Hash', value: <span className="r-mono">{sha256?.slice(0, 12)}</span> },
  ];
}
