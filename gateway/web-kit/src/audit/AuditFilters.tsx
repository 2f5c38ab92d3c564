// What of the audit log is wanted: a text, an action, from a day to a day.
import { NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { Search } from 'lucide-react';
import { useState } from 'react';
import { AUDIT_ACTIONS } from '../words/audit';
import css from './audit.module.css';

/** As it stands in the URL; days are `2026-11-21`, in the zone of the person, the last one included. */
export interface AuditFilter {
  search: string;
  action: string;
  from: string;
  to: string;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

function midnight(day: string, later: number): number | undefined {
  if (!DAY.test(day)) return undefined;
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  const at = new Date(year, month - 1, date + later).getTime();
  return Number.isFinite(at) ? at : undefined;
}

/** The filter as the servers want it. */
export function auditQuery(filter: AuditFilter): {
  search?: string;
  action?: string;
  from?: number;
  to?: number;
} {
  return {
    search: filter.search.trim() || undefined,
    action: filter.action || undefined,
    from: midnight(filter.from, 0),
    to: midnight(filter.to, 1),
  };
}

export const auditFilterOf = (url: URLSearchParams): AuditFilter => ({
  search: url.get('search') ?? '',
  action: url.get('action') ?? '',
  from: url.get('from') ?? '',
  to: url.get('to') ?? '',
});

export const isFiltered = (filter: AuditFilter): boolean => Object.values(filter).some((text) => text !== '');

interface AuditFiltersProps {
  filter: AuditFilter;
  onChange: (changes: Record<string, string | null>) => void;
}

export function AuditFilters({ filter, onChange }: AuditFiltersProps) {
  const [text, setText] = useState(filter.search);
  const [sent, setSent] = useState(filter.search);
  const settle = useDebouncedCallback((next: string) => {
    setSent(next);
    onChange({ search: next.trim() });
  }, 200);
  // The URL may change beside the field, by a link or by "show all".
  if (filter.search !== sent.trim()) {
    setSent(filter.search);
    setText(filter.search);
  }
  return (
    <div className={css.filters} role="search">
      <TextInput
        className={css.search}
        aria-label="Search the audit log"
        placeholder="Name, address, point, words"
        leftSection={<Search size={16} aria-hidden />}
        type="search"
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          settle(event.currentTarget.value);
        }}
      />
      <NativeSelect
        aria-label="Action"
        value={filter.action}
        onChange={(event) => onChange({ action: event.currentTarget.value })}
      >
        <option value="">Every action</option>
        {AUDIT_ACTIONS.map(([action, words]) => (
          <option key={action} value={action}>
            {words}
          </option>
        ))}
      </NativeSelect>
      <div className={css.days}>
        <TextInput
          type="date"
          aria-label="From day"
          value={filter.from}
          max={filter.to || undefined}
          onChange={(event) => onChange({ from: event.currentTarget.value })}
        />
        <span className={css.until}>to</span>
        <TextInput
          type="date"
          aria-label="To day"
          value={filter.to}
          min={filter.from || undefined}
          onChange={(event) => onChange({ to: event.currentTarget.value })}
        />
      </div>
    </div>
  );
}
