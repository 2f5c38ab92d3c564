// From a protocol to devices that run: search, choose, preview, try, keep. Which protocol is in the URL.
import {
  BoneRows,
  EmptyState,
  ErrorState,
  messageOf,
  NoPermission,
  PageHeader,
  Panel,
  useAnnounce,
} from '@riser/kit';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { Destination } from '../adding/Destination';
import { Finds } from '../adding/Finds';
import { Preview } from '../adding/Preview';
import { Protocols } from '../adding/Protocols';
import { SearchForm } from '../adding/SearchForm';
import css from '../adding/adding.module.css';
import { changed, freeName, request, type Choices, type Target } from '../adding/choice';
import {
  addFinds,
  applyConfiguration,
  startSearch,
  stopSearch,
  type Addition,
  type Protocol,
  type Search,
} from '../api/calls';
import { keys, useConfigurations, useProtocols, useSearch } from '../api/queries';
import { Waiting } from '../configuration/Waiting';
import { useMay } from '../session/session';
import { useUrl } from '../useUrl';

const TRAIL = [{ href: '/devices', label: 'Devices' }];

export default function AddDevicesPage() {
  const may = useMay('configure');
  const [url, setUrl] = useUrl();
  const list = useProtocols(may);
  const protocols = list.data?.protocols ?? [];
  const kind = url.get('protocol') ?? (protocols.length === 1 ? (protocols[0]?.kind ?? '') : '');
  const protocol = protocols.find((p) => p.kind === kind);
  const header = (
    <PageHeader
      title="Add devices"
      trail={TRAIL}
      subtitle="Search, choose, and try them before they are kept"
    />
  );
  if (!may)
    return (
      <>
        {header}
        <Panel>
          <NoPermission
            what="Your role does not add devices"
            who="Technicians, installers and administrators can."
          />
        </Panel>
      </>
    );
  return (
    <>
      {header}
      <OnTrial />
      <div className={css.stack}>
        <Panel title="Protocol">
          {list.isPending && <BoneRows rows={2} />}
          {list.error && !list.data && (
            <ErrorState
              what="The protocols could not be fetched"
              message={messageOf(list.error)}
              onRetry={() => void list.refetch()}
            />
          )}
          {list.data && (
            <Protocols protocols={protocols} chosen={kind} onChoose={(next) => setUrl({ protocol: next })} />
          )}
        </Panel>
        {protocol?.can_search && (
          <Commissioning key={protocol.kind} protocol={protocol} networks={list.data?.networks ?? []} />
        )}
        {protocol && !protocol.can_search && (
          <Panel>
            <EmptyState title={`${protocol.title} cannot be searched for`}>
              Its devices are written into the <Link href="/configuration">configuration</Link> by hand; the
              sample in the handbook names every option.
            </EmptyState>
          </Panel>
        )}
      </div>
    </>
  );
}

function Commissioning({ protocol, networks }: { protocol: Protocol; networks: readonly string[] }) {
  const queries = useQueryClient();
  const search = useSearch(protocol.kind);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState('');
  // Another search has other finds: what was chosen of the last one is over.
  const [round, setRound] = useState(0);
  const set = (next: Search) => queries.setQueryData(keys.search(protocol.kind), next);
  const work = (asked: Promise<Search>) => {
    setBusy(true);
    setFailed('');
    asked.then(set, (reason: unknown) => setFailed(messageOf(reason))).finally(() => setBusy(false));
  };
  if (search.isPending)
    return (
      <Panel>
        <BoneRows rows={3} />
      </Panel>
    );
  if (search.error && !search.data)
    return (
      <Panel>
        <ErrorState
          what="The search could not be looked at"
          message={messageOf(search.error)}
          onRetry={() => void search.refetch()}
        />
      </Panel>
    );
  return (
    <>
      <SearchForm
        protocol={protocol}
        networks={networks}
        search={search.data}
        busy={busy}
        failed={failed}
        onStart={(options) => {
          setRound(round + 1);
          work(startSearch(protocol.kind, options));
        }}
        onStop={() => work(stopSearch(protocol.kind))}
      />
      {search.data.state !== 'none' && (
        <Choosing key={`${round} ${search.data.started_at ?? 0}`} protocol={protocol} search={search.data} />
      )}
    </>
  );
}

function Choosing({ protocol, search }: { protocol: Protocol; search: Search }) {
  const announce = useAnnounce();
  const until = useTrial()?.until ?? null;
  const renew = useRenew();
  const [choices, setChoices] = useState<Choices>(new Map());
  const [target, setTarget] = useState<Target>(() => first(protocol));
  const [addition, setAddition] = useState<Addition | null>(null);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState('');
  const choose = (next: Choices) => {
    setChoices(next);
    setAddition(null);
  };
  const work = <T,>(asked: Promise<T>, then: (answer: T) => unknown) => {
    setBusy(true);
    setFailed('');
    asked.then(then, (reason: unknown) => setFailed(messageOf(reason))).finally(() => setBusy(false));
  };
  const preview = (chosen: Choices = choices) =>
    work(addFinds(request(protocol.kind, target, chosen, search.finds)), setAddition);
  const useKey = (id: number, key: string) => {
    const next = changed(choices, id, { key });
    setChoices(next);
    preview(next);
  };
  const apply = (terms: { note: string; seconds: number }) => {
    const document = addition?.document;
    if (typeof document !== 'string') return;
    const note = terms.note.trim() || `added ${choices.size} of ${protocol.title}`;
    work(applyConfiguration({ document, note, confirm_seconds: terms.seconds }), async () => {
      setAddition(null);
      setChoices(new Map());
      await renew();
      announce('The devices run on trial: look at their values, then keep the change');
      window.scrollTo(0, 0);
    });
  };
  return (
    <>
      <Finds search={search} profiles={protocol.has_profiles} choices={choices} onChoose={choose} />
      {choices.size > 0 && (
        <Destination
          protocol={protocol}
          target={target}
          chosen={choices.size}
          busy={busy && addition === null}
          failed={failed}
          onTarget={(next) => {
            setTarget(next);
            setAddition(null);
          }}
          onPreview={() => preview()}
        />
      )}
      {addition && (
        <Preview
          addition={addition}
          finds={search.finds}
          blocked={until === null ? null : 'Keep or take back the change on trial first.'}
          busy={busy}
          onKey={useKey}
          onApply={apply}
        />
      )}
    </>
  );
}

/** The configuration that waits to be kept, and until when. */
function useTrial() {
  const versions = useConfigurations(true).data?.versions ?? [];
  const version = versions.find((v) => v.running && v.state === 'waiting');
  return version && typeof version.until === 'number' ? { version, until: version.until } : null;
}

function useRenew() {
  const queries = useQueryClient();
  const changes = [
    keys.configuration,
    keys.overview,
    keys.devices,
    keys.points,
    keys.adapters,
    keys.protocols,
    keys.searches,
  ];
  return () => Promise.all(changes.map((queryKey) => queries.invalidateQueries({ queryKey })));
}

function OnTrial() {
  const trial = useTrial();
  const renew = useRenew();
  if (!trial) return null;
  return (
    <>
      <Waiting version={trial.version} until={trial.until} onDone={renew} />
      <p className={css.look}>
        Look at the <Link href="/devices">devices</Link> and their <Link href="/points">points</Link> before
        you keep it.
      </p>
    </>
  );
}

/** To the adapter there is, or else a new one. */
function first(protocol: Protocol): Target {
  const [adapter] = protocol.adapters;
  return adapter === undefined
    ? { adapter: freeName(protocol.kind, []), isNew: true }
    : { adapter, isNew: false };
}
