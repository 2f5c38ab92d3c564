// First boot: whoever holds the unit's code makes the first account. There is no default password.
import { Button, PasswordInput, TextInput } from '@mantine/core';
import { Gate, GateProblem, messageOf } from '@riser/kit';
import { useState } from 'react';
import { claim, type Session, type Setup } from '../api/calls';

const SHORTEST_PASSWORD = 10;

interface ClaimPageProps {
  setup: Setup;
  onSession: (session: Session) => void;
}

export function ClaimPage({ setup, onSession }: ClaimPageProps) {
  const [code, setCode] = useState('');
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const short = password.length < SHORTEST_PASSWORD ? `At least ${SHORTEST_PASSWORD} characters.` : null;
  const different = again !== password ? 'The two are not the same.' : null;

  const submit = () => {
    setTried(true);
    if (short || different) return;
    setBusy(true);
    setProblem(null);
    claim({ code: code.trim(), user: user.trim(), password }).then(onSession, (reason: unknown) => {
      setBusy(false);
      setProblem(messageOf(reason));
    });
  };

  return (
    <Gate
      title="Claim this gateway"
      lead="It belongs to nobody yet. With the claim code of the unit you make the first account. The code is on its label; on its console, riserd claim-code prints it."
      foot={`${setup.gateway.id} · Riser ${setup.gateway.version}`}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        {problem && <GateProblem>{problem}</GateProblem>}
        <TextInput
          label="Claim code"
          autoComplete="one-time-code"
          autoCapitalize="characters"
          spellCheck={false}
          required
          withAsterisk={false}
          styles={{ input: { fontFamily: 'var(--r-mono)', letterSpacing: '0.08em' } }}
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        <TextInput
          label="User"
          description="Your login name on this gateway."
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          withAsterisk={false}
          value={user}
          onChange={(event) => setUser(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          description={`At least ${SHORTEST_PASSWORD} characters. A few words are easier to type with gloves on than signs.`}
          autoComplete="new-password"
          required
          withAsterisk={false}
          error={tried ? short : null}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
        />
        <PasswordInput
          label="Password again"
          autoComplete="new-password"
          required
          withAsterisk={false}
          error={tried ? different : null}
          value={again}
          onChange={(event) => setAgain(event.currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
        />
        <Button type="submit" loading={busy}>
          Claim and log in
        </Button>
      </form>
    </Gate>
  );
}
