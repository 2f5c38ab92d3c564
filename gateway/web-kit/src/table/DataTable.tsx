// A list of things: a table with a sticky header on a desk, cards on a phone. Owns sorting and
// virtualisation; what a cell or a card shows is the caller's.
import { useMediaQuery } from '@mantine/hooks';
import { useMemo, useState, type ReactNode } from 'react';
import { HeaderRow } from './HeaderRow';
import { VirtualRows } from './VirtualRows';
import css from './DataTable.module.css';

export interface Column<T> {
  key: string;
  title: string;
  /** CSS grid track, such as `minmax(160px, 2fr)` or `96px`. */
  track: string;
  align?: 'start' | 'end';
  /** Left out where the table is narrow. */
  wideOnly?: boolean;
  render: (row: T) => ReactNode;
  /** Ascending order; a column without one cannot be sorted by. */
  compare?: (a: T, b: T) => number;
}

export interface Sort {
  key: string;
  descending: boolean;
}

interface DataTableProps<T> {
  /** What the list is, for assistive technology. */
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  /** A row below 640 px: the two facts that matter. */
  card: (row: T) => ReactNode;
  /** Rows there are in all, when not every one is loaded; sorting waits until they are. */
  total?: number;
  onEnd?: () => void;
  initialSort?: Sort;
}

export function useIsPhone(): boolean {
  return useMediaQuery('(max-width: 639.98px)', false, { getInitialValueInEffect: false }) ?? false;
}

function useIsWide(): boolean {
  return useMediaQuery('(min-width: 1160px)', true, { getInitialValueInEffect: false }) ?? true;
}

export function DataTable<T>(props: DataTableProps<T>) {
  const { label, rows, columns, rowKey, card, total = rows.length, onEnd, initialSort } = props;
  const phone = useIsPhone();
  const wide = useIsWide();
  const [sort, setSort] = useState<Sort | null>(initialSort ?? null);
  const complete = rows.length >= total;

  const sorted = useMemo(() => {
    const compare = columns.find((c) => c.key === sort?.key)?.compare;
    if (!complete || !sort || !compare) return rows;
    const ordered = [...rows].sort(compare);
    return sort.descending ? ordered.reverse() : ordered;
  }, [rows, columns, sort, complete]);

  if (phone) {
    return (
      <ul className={css.cards} aria-label={label}>
        <VirtualRows
          rows={sorted}
          rowKey={rowKey}
          estimate={84}
          onEnd={onEnd}
          renderRow={(row) => <li className={css.card}>{card(row)}</li>}
        />
      </ul>
    );
  }

  const visible = columns.filter((c) => wide || !c.wideOnly);
  const style = { gridTemplateColumns: visible.map((c) => c.track).join(' ') };
  return (
    <div className={css.table} role="table" aria-label={label} aria-rowcount={total + 1}>
      <HeaderRow columns={visible} style={style} sort={sort} onSort={setSort} sortable={complete} />
      <div role="rowgroup">
        <VirtualRows
          rows={sorted}
          rowKey={rowKey}
          estimate={40}
          onEnd={onEnd}
          renderRow={(row, index) => (
            <div className={css.row} style={style} role="row" aria-rowindex={index + 2}>
              {visible.map((c) => (
                <div key={c.key} role="cell" className={c.align === 'end' ? css.end : css.cell}>
                  {c.render(row)}
                </div>
              ))}
            </div>
          )}
        />
      </div>
    </div>
  );
}
