// Taking an alarm: what it is, and a comment for whoever comes after.
import { Button, Modal, Textarea } from '@mantine/core';
import { useState } from 'react';
import type { Alarm } from '../model';
import { useAnnounce } from '../states/announce';
import { AlarmBadge } from '../status/AlarmBadge';
import { useIsPhone } from '../table/DataTable';
import { Age } from '../value/Age';
import write from '../write/write.module.css';
import css from './alarms.module.css';

interface AcknowledgeDialogProps<T extends Alarm> {
  /** The alarm being taken; null keeps the dialog closed. */
  alarm: T | null;
  onClose: () => void;
  acknowledge: (alarm: T, comment: string) => Promise<unknown>;
}

export function AcknowledgeDialog<T extends Alarm>({
  alarm,
  onClose,
  acknowledge,
}: AcknowledgeDialogProps<T>) {
  const phone = useIsPhone();
  return (
    <Modal
      opened={alarm !== null}
      onClose={onClose}
      title="Acknowledge alarm"
      size={480}
      centered={!phone}
      classNames={{ content: write.content, title: write.title, inner: phone ? write.sheet : undefined }}
    >
      {alarm && <AcknowledgeForm key={alarm.id} alarm={alarm} onClose={onClose} acknowledge={acknowledge} />}
    </Modal>
  );
}

function AcknowledgeForm<T extends Alarm>(props: {
  alarm: T;
  onClose: () => void;
  acknowledge: (alarm: T, comment: string) => Promise<unknown>;
}) {
  const { alarm, onClose, acknowledge } = props;
  const [comment, setComment] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const announce = useAnnounce();

  const submit = () => {
    setBusy(true);
    setProblem(null);
    acknowledge(alarm, comment.trim()).then(
      () => {
        announce(`Acknowledged: ${alarm.message}`);
        onClose();
      },
      (reason: unknown) => {
        setBusy(false);
        setProblem(reason instanceof Error ? reason.message : String(reason));
      },
    );
  };

  return (
    <form
      className={write.form}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div className={css.subject}>
        <AlarmBadge priority={alarm.priority} />
        <div className={css.message}>{alarm.message}</div>
        <div className={css.note}>
          {alarm.path}, raised <Age at={alarm.raised_at} ago />
        </div>
      </div>
      <Textarea
        label="Comment"
        description="What you saw or did, for whoever comes after you. May be left empty."
        data-autofocus
        rows={3}
        maxLength={500}
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
        error={problem}
      />
      <p className={css.note}>
        Acknowledging tells others that you have taken it. It does not end the condition.
      </p>
      <div className={write.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={busy}>
          Acknowledge
        </Button>
      </div>
    </form>
  );
}
