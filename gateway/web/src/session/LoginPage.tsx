// Logging in on the gateway; after five wrong passwords the wait is counted down.
import { Button, PasswordInput, TextInput } from '@mantine/core';
import { formatSpan, Gate, GateProblem, messageOf, Problem, serverNow, useNow } from '@riser/kit';
import { useState } from 'react';
import { logIn, type Session, type Setup } from '../api/calls';

interface LoginPageProps {
  setup: Setup | undefined;
  /** Why the person is here again, such as an ended session. */
  notice?: string | null;
  onSession: (session: Session) => void;
}

export function LoginPage({ setup, notice, onSession }: LoginPageProps) {
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [lockedUntil, setLockedUntil] = useState(0);
  const now = useNow();
  const locked = lockedUntil > now;

  const submit = () => {
    setBusy(true);
    setProblem(null);
    logIn({ user: user.trim(), password }).then(onSession, (reason: unknown) => {
      setBusy(false);
      setPassword('');
      setProblem(messageOf(reason));
      if (reason instanceof Problem && reason.retryAfterS)
        setLockedUntil(serverNow() + reason.retryAfterS * 1000);
    });
  };

  return (
    <Gate
      title={setup ? setup.gateway.name : 'Log in'}
      lead="Log in with the account of this gateway."
      foot={setup && `${setup.gateway.id} · Riser ${setup.gateway.version}`}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        {notice && !problem && <p>{notice}</p>}
        {problem && <GateProblem>{problem}</GateProblem>}
        {locked && <p role="timer">The next try is possible in {formatSpan(lockedUntil - now)}.</p>}
        <TextInput
          label="User"
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
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
        />
        <Button type="submit" loading={busy} disabled={locked}>
          Log in
        </Button>
      </form>
    </Gate>
  );
}
