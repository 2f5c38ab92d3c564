// Logging in on the dashboard; a locked account counts its wait down.
import { Button, PasswordInput, TextInput } from '@mantine/core';
import { formatSpan, Gate, GateProblem, messageOf, Problem, serverNow, useNow } from '@riser/kit';
import { useState } from 'react';
import { tokens, type User } from './tokens';

interface LoginPageProps {
  notice: string | null;
  onUser: (user: User) => void;
}

export function LoginPage({ notice, onUser }: LoginPageProps) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [lockedUntil, setLockedUntil] = useState(0);
  const now = useNow();
  const locked = lockedUntil > now;

  const submit = () => {
    setBusy(true);
    setProblem(null);
    tokens.logIn(email.trim(), password).then(onUser, (reason: unknown) => {
      setBusy(false);
      setPassword('');
      setProblem(messageOf(reason));
      if (reason instanceof Problem && reason.retryAfterS)
        setLockedUntil(serverNow() + reason.retryAfterS * 1000);
    });
  };

  return (
    <Gate title="Log in" lead="See and operate your buildings.">
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
          label="E-mail"
          type="email"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          withAsterisk={false}
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
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
