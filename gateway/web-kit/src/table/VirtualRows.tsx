// Rows of a long list: short lists whole, long ones only where they are seen while the page scrolls.
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from 'react';

interface VirtualRowsProps<T> {
  rows: readonly T[];
  rowKey: (row: T) => string;
  renderRow: (row: T, index: number) => ReactNode;
  /** Expected height of a row in pixels. */
  estimate: number;
  /** Called when the end comes near, so more can be fetched. */
  onEnd?: () => void;
}

/** Up to here, everything is in the page and the browser's own search finds it. */
const WHOLE = 120;
const NEAR_END = 30;

export function VirtualRows<T>(props: VirtualRowsProps<T>) {
  if (props.rows.length <= WHOLE && !props.onEnd) return <WholeRows {...props} />;
  return <WindowedRows {...props} />;
}

function WholeRows<T>({ rows, rowKey, renderRow }: VirtualRowsProps<T>) {
  return rows.map((row, index) => <Slot key={rowKey(row)}>{renderRow(row, index)}</Slot>);
}

function Slot({ children }: { children: ReactNode }) {
  return children;
}

function WindowedRows<T>({ rows, rowKey, renderRow, estimate, onEnd }: VirtualRowsProps<T>) {
  const frame = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    const top = frame.current?.getBoundingClientRect().top ?? 0;
    setMargin(top + window.scrollY);
  }, []);

  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => estimate,
    overscan: 8,
    scrollMargin: margin,
    getItemKey: (index) => {
      const row = rows[index];
      return row === undefined ? index : rowKey(row);
    },
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const near = last >= rows.length - NEAR_END;

  useEffect(() => {
    if (near) onEnd?.();
  }, [near, onEnd, rows.length]);

  return (
    <div ref={frame} role="presentation" style={{ position: 'relative', height: virtual.getTotalSize() }}>
      {items.map((item) => {
        const row = rows[item.index];
        if (row === undefined) return null;
        return (
          <div
            key={item.key}
            ref={virtual.measureElement}
            data-index={item.index}
            role="presentation"
            style={{
              position: 'absolute',
              inset: '0 0 auto',
              transform: `translateY(${item.start - margin}px)`,
            }}
          >
            {renderRow(row, item.index)}
          </div>
        );
      })}
    </div>
  );
}
