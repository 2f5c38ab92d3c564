// What a version changed, as far as the gateway's audit log had room for it.
import { counted, Differences } from '@riser/kit';
import type { ConfigurationStep } from '../api/calls';
import css from './configuration.module.css';

export function Changes({ step }: { step: ConfigurationStep }) {
  if (step.changes.length === 0 && step.more_changes === 0)
    return <p className={css.quiet}>The gateway did not tell.</p>;
  return (
    <>
      <Differences differences={step.changes} />
      {step.more_changes > 0 && (
        <p className={css.quiet}>
          And {counted(step.more_changes, 'change')} more; the gateway&apos;s own page shows every one.
        </p>
      )}
    </>
  );
}
