// What an adapter's devices hold, level by level: opened by hand, as each level is asked of the device.
import { Button, Loader } from '@mantine/core';
import { EmptyState, messageOf, Panel } from '@riser/kit';
import { ChevronRight } from 'lucide-react';
import { useState } from 'react';
import { Link } from 'wouter';
import type { BrowseEntry } from '../api/calls';
import { useBrowse } from '../api/queries';
import css from './adapters.module.css';

export function Browse({ adapter }: { adapter: string }) {
  return (
    <Panel title="What its devices hold" flush>
      <Level adapter={adapter} path="" root />
    </Panel>
  );
}

function Level({ adapter, path, root = false }: { adapter: string; path: string; root?: boolean }) {
  const level = useBrowse(adapter, path);
  if (level.isPending)
    return (
      <p className={css.note} role="status">
        <Loader size={14} aria-hidden /> Asking
      </p>
    );
  if (level.error)
    return (
      <div className={css.note} role="alert">
        {messageOf(level.error)}{' '}
        <Button variant="default" size="compact-sm" onClick={() => void level.refetch()}>
          Try again
        </Button>
      </div>
    );
  if (level.data.length === 0)
    return root ? (
      <EmptyState title="Nothing yet">Devices appear here once they have answered.</EmptyState>
    ) : (
      <p className={css.note}>Nothing in it.</p>
    );
  return (
    <ul className={`${css.tree} ${root ? css.root : ''}`} aria-label={root ? 'Devices' : undefined}>
      {level.data.map((node) => (
        <Node key={node.path} adapter={adapter} node={node} />
      ))}
    </ul>
  );
}

function Node({ adapter, node }: { adapter: string; node: BrowseEntry }) {
  const [open, setOpen] = useState(false);
  if (node.point)
    return (
      <li>
        <div className={css.node}>
          <span className={css.names}>
            {node.collected ? (
              <Link href={`/points/${node.point.path}`}>{node.name}</Link>
            ) : (
              <span>{node.name}</span>
            )}
            <span className={css.quiet}>
              {node.point.kind}
              {node.point.unit ? `, ${node.point.unit}` : ''}
              {node.collected ? ' · collected' : ' · not collected'}
              {node.remark ? ` · ${node.remark}` : ''}
            </span>
          </span>
        </div>
      </li>
    );
  return (
    <li>
      <button type="button" className={css.node} aria-expanded={open} onClick={() => setOpen(!open)}>
        <ChevronRight size={16} className={open ? css.open : undefined} aria-hidden />
        <span className={css.names}>
          <span>{node.name}</span>
          {node.remark && <span className={css.quiet}>{node.remark}</span>}
        </span>
      </button>
      {open && <Level adapter={adapter} path={node.path} />}
    </li>
  );
}
