// Skeletons in the layout of what is being fetched, so nothing jumps when it arrives.
import { Skeleton } from '@mantine/core';
import css from './Bones.module.css';

/** Rows of a list. */
export function BoneRows({ rows = 8 }: { rows?: number }) {
  return (
    <div role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className={css.row}>
          <Skeleton height={12} width={`${28 + ((i * 13) % 17)}%`} />
          <Skeleton height={12} width="14%" />
          <Skeleton height={12} width={`${8 + ((i * 7) % 5)}%`} />
        </div>
      ))}
    </div>
  );
}

/** One block, such as a chart or a panel. */
export function BoneBlock({ height }: { height: number }) {
  return (
    <div role="status" aria-label="Loading">
      <Skeleton height={height} radius={4} />
    </div>
  );
}
