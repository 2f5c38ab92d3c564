// Pages without their content: nothing there, something failed, not allowed. Each says what to do next.
import { Button } from '@mantine/core';
import { CircleSlash, Lock, RotateCw, TriangleAlert, type LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import css from './states.module.css';

interface PlateProps {
  icon: LucideIcon;
  tone?: 'quiet' | 'fault';
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  alert?: boolean;
}

function Plate({ icon: Icon, tone = 'quiet', title, children, action, alert = false }: PlateProps) {
  return (
    <div className={css.plate} role={alert ? 'alert' : undefined}>
      <Icon className={css[tone]} size={28} strokeWidth={1.5} aria-hidden />
      <div className={css.title}>{title}</div>
      {children && <div className={css.text}>{children}</div>}
      {action && <div className={css.action}>{action}</div>}
    </div>
  );
}

/** Nothing is there: what this place is for and the next step. */
export function EmptyState(props: {
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  icon?: LucideIcon;
}) {
  return <Plate icon={props.icon ?? CircleSlash} {...props} />;
}

/** Something failed: what was tried, what to do, and a way to try again. */
export function ErrorState({
  what,
  message,
  onRetry,
}: {
  what: string;
  message: string;
  onRetry?: () => void;
}) {
  return (
    <Plate
      icon={TriangleAlert}
      tone="fault"
      title={what}
      alert
      action={
        onRetry && (
          <Button variant="default" leftSection={<RotateCw size={16} aria-hidden />} onClick={onRetry}>
            Try again
          </Button>
        )
      }
    >
      {message.charAt(0).toUpperCase() + message.slice(1)}
    </Plate>
  );
}

/** The session may not do this: who can. */
export function NoPermission({ what, who }: { what: string; who: string }) {
  return (
    <Plate icon={Lock} title={what}>
      {who}
    </Plate>
  );
}
