// The adapters of this gateway: what each is doing, and the way to its operations and its devices.
import { counted, Panel, StatusDot } from '@riser/kit';
import { Link } from 'wouter';
import { useAdapters } from '../api/queries';
import css from './adapters.module.css';
import { ADAPTER_WORDS } from './words';

export function Adapters() {
  const adapters = useAdapters().data ?? [];
  if (adapters.length === 0) return null;
  return (
    <Panel title="Adapters" flush>
      <ul className={css.list} aria-label="Adapters">
        {adapters.map((adapter) => (
          <li key={adapter.name}>
            <Link href={`/adapters/${encodeURIComponent(adapter.name)}`} className={css.link}>
              <strong>{adapter.name}</strong>
              <span className={css.quiet}>
                {adapter.kind} · {counted(adapter.points, 'point')}
                {adapter.operations > 0 && ` · ${counted(adapter.operations, 'operation')}`}
                {adapter.can_browse && ' · can be browsed'}
              </span>
            </Link>
            <StatusDot state={ADAPTER_WORDS[adapter.state]} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}
