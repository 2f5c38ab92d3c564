// The mark: a riser, three short vertical bars of rising height.

interface MarkProps {
  size?: number;
  /** Read out by assistive technology; left out where the word Riser stands beside it. */
  title?: string;
}

export function Mark({ size = 20, title }: MarkProps) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="currentColor"
      role={title ? 'img' : undefined}
      aria-hidden={title ? undefined : true}
      aria-label={title}
    >
      <rect x="2" y="11.5" width="4" height="6.5" rx="1" />
      <rect x="8" y="6.75" width="4" height="11.25" rx="1" />
      <rect x="14" y="2" width="4" height="16" rx="1" />
    </svg>
  );
}
