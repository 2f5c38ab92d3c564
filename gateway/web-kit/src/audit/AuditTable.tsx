// The audit log as a list: when, who and from where, what; each entry opens to what stands behind it.
import { ChevronDown, ChevronRight } from 'lucide-react';
import { useState } from 'react';
import { formatStamp } from '../format/time';
import type { AuditEntry } from '../model';
import { DataTable, type Column } from '../table/DataTable';
import { auditPlace, auditSentence, isNotable } from '../words/audit';
import { When, Who } from './Who';
import css from './audit.module.css';

const keyOf = (entry: AuditEntry): string => `${entry.chain} ${entry.no}`;

function Behind({ entry }: { entry: AuditEntry }) {
  const facts: [string, string][] = [
    ['Time', `${formatStamp(entry.at)} (${new Date(entry.at).toISOString()})`],
    ['Action', entry.action],
    ['Object', entry.object || 'none'],
    ['Detail', entry.detail || 'none'],
    ['Hash', entry.hash],
    ['Before', entry.previous],
    ['Chain', entry.chain],
  ];
  return (
    <dl className={css.behind}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="r-mono">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function What({ entry, open, onToggle }: { entry: AuditEntry; open: boolean; onToggle: () => void }) {
  const Chevron = open ? ChevronDown : ChevronRight;
  return (
    <div className={css.what}>
      <button type="button" className={css.toggle} aria-expanded={open} onClick={onToggle}>
        <Chevron size={16} aria-hidden className={css.chevron} />
        <span className={isNotable(entry) ? css.notable : undefined}>
          {isNotable(entry) && <span aria-hidden>▲ </span>}
          {auditSentence(entry)}
        </span>
      </button>
      {open && <Behind entry={entry} />}
    </div>
  );
}

interface AuditTableProps {
  entries: readonly AuditEntry[];
  /** Fetches older ones. */
  onEnd?: () => void;
}

export function AuditTable({ entries, onEnd }: AuditTableProps) {
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const toggle = (entry: AuditEntry) =>
    setOpened((old) => {
      const next = new Set(old);
      if (!next.delete(keyOf(entry))) next.add(keyOf(entry));
      return next;
    });
  const what = (entry: AuditEntry) => (
    <What entry={entry} open={opened.has(keyOf(entry))} onToggle={() => toggle(entry)} />
  );
  const columns: Column<AuditEntry>[] = [
    { key: 'at', title: 'When', track: '116px', render: (e) => <When at={e.at} /> },
    {
      key: 'actor',
      title: 'Who',
      track: 'minmax(220px, 1.2fr)',
      render: (e) => <Who actor={e.actor} source={e.source} />,
    },
    { key: 'what', title: 'What', track: 'minmax(240px, 4fr)', render: what },
    {
      key: 'no',
      title: 'No.',
      track: '76px',
      align: 'end',
      wideOnly: true,
      render: (e) => <span className={css.no}>{e.no}</span>,
    },
  ];
  return (
    <DataTable
      label="Audit log, the newest first"
      rows={entries}
      columns={columns}
      rowKey={keyOf}
      onEnd={onEnd}
      card={(e) => (
        <div className={css.card}>
          <div className={css.cardHead}>
            <span className={css.actor}>{e.actor}</span>
            <When at={e.at} />
          </div>
          <span className={css.place}>
            {auditPlace(e.source)} · No. {e.no}
          </span>
          {what(e)}
        </div>
      )}
    />
  );
}
