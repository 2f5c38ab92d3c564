// Acknowledging a break of the audit log: what is broken, what it does, and what is known of it.
import { Button, Modal, Textarea } from '@mantine/core';
import { useState } from 'react';
import type { AuditBreak } from '../model';
import { messageOf } from '../problem';
import { useAnnounce } from '../states/announce';
import { useIsPhone } from '../table/DataTable';
import write from '../write/write.module.css';
import css from './audit.module.css';

interface AcknowledgeBreakProps {
  opened: boolean;
  breaks: readonly AuditBreak[];
  effect: string;
  onClose: () => void;
  acknowledge: (comment: string) => Promise<unknown>;
}

export function AcknowledgeBreak(props: AcknowledgeBreakProps) {
  const phone = useIsPhone();
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      title="Acknowledge a break of the audit log"
      size={520}
      centered={!phone}
      classNames={{ content: write.content, title: write.title, inner: phone ? write.sheet : undefined }}
    >
      {props.opened && <Form {...props} />}
    </Modal>
  );
}

function Form({ breaks, effect, onClose, acknowledge }: AcknowledgeBreakProps) {
  const [comment, setComment] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const announce = useAnnounce();
  const submit = () => {
    if (!comment.trim()) {
      setProblem('Say what is known of it: whoever comes after you has nothing else to go by.');
      return;
    }
    setBusy(true);
    setProblem(null);
    acknowledge(comment.trim()).then(
      () => {
        announce('The break is acknowledged');
        onClose();
      },
      (reason: unknown) => {
        setBusy(false);
        setProblem(messageOf(reason));
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
      <ul className={css.taking}>
        {breaks.map((b) => (
          <li key={`${b.no} ${b.reason}`}>{b.reason}</li>
        ))}
      </ul>
      <Textarea
        label="What is known of it"
        description="Who wrote into the file, why, and what was done about it. It stays in the log."
        data-autofocus
        required
        rows={3}
        maxLength={500}
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
        error={problem}
      />
      <p className={css.place}>{effect}</p>
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
