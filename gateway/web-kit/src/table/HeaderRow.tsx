// The header of a table: titles that sort when all rows are loaded.
import { ArrowDown, ArrowUp } from 'lucide-react';
import type { CSSProperties } from 'react';
import type { Column, Sort } from './DataTable';
import css from './DataTable.module.css';

interface HeaderRowProps<T> {
  columns: readonly Column<T>[];
  style: CSSProperties;
  sort: Sort | null;
  sortable: boolean;
  onSort: (sort: Sort | null) => void;
}

/** Ascending, descending, then the order of the server again. */
function next(sort: Sort | null, key: string): Sort | null {
  if (sort?.key !== key) return { key, descending: false };
  return sort.descending ? null : { key, descending: true };
}

function ariaSort(sort: Sort | null, key: string): 'ascending' | 'descending' | 'none' {
  if (sort?.key !== key) return 'none';
  return sort.descending ? 'descending' : 'ascending';
}

export function HeaderRow<T>({ columns, style, sort, sortable, onSort }: HeaderRowProps<T>) {
  return (
    <div role="rowgroup" className={css.head}>
      <div className={css.headRow} style={style} role="row" aria-rowindex={1}>
        {columns.map((c) => {
          const active = sortable && sort?.key === c.key;
          const className = c.align === 'end' ? css.headEnd : css.headCell;
          if (!c.compare || !sortable) {
            return (
              <div key={c.key} role="columnheader" className={className}>
                {c.title}
              </div>
            );
          }
          return (
            <div key={c.key} role="columnheader" aria-sort={ariaSort(sort, c.key)} className={className}>
              <button type="button" className={css.sort} onClick={() => onSort(next(sort, c.key))}>
                {c.title}
                <span className={active ? css.arrow : css.arrowIdle} aria-hidden>
                  {active && sort?.descending ? <ArrowDown size={13} /> : <ArrowUp size={13} />}
                </span>
              </button>
            </div>
          );
        })}
      </div>
    </div>
  );
}
