// The parts every page is put together from: header, panels, facts.
import { ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from '../link';
import css from './Page.module.css';

interface PageHeaderProps {
  title: ReactNode;
  /** Pages above this one. */
  trail?: readonly { href: string; label: string }[];
  subtitle?: ReactNode;
  actions?: ReactNode;
}

export function PageHeader({ title, trail = [], subtitle, actions }: PageHeaderProps) {
  return (
    <div className={css.header}>
      <div className={css.headings}>
        {trail.length > 0 && (
          <nav className={css.trail} aria-label="Breadcrumbs">
            {trail.map((t) => (
              <span key={t.href}>
                <Link href={t.href}>{t.label}</Link>
                <ChevronRight size={14} aria-hidden />
              </span>
            ))}
          </nav>
        )}
        <h1 className={css.h1}>{title}</h1>
        {subtitle && <div className={css.subtitle}>{subtitle}</div>}
      </div>
      {actions && <div className={css.actions}>{actions}</div>}
    </div>
  );
}

interface PanelProps {
  title?: string;
  /** Right of the title: a link, a count. */
  aside?: ReactNode;
  /** Content reaches the edges, as lists do. */
  flush?: boolean;
  className?: string;
  children: ReactNode;
}

export function Panel({ title, aside, flush = false, className = '', children }: PanelProps) {
  return (
    <section className={`${css.panel} ${className}`} aria-label={title}>
      {title && (
        <div className={css.panelHead}>
          <h2 className={css.h2}>{title}</h2>
          {aside && <div className={css.aside}>{aside}</div>}
        </div>
      )}
      <div className={flush ? undefined : css.panelBody}>{children}</div>
    </section>
  );
}

export interface Fact {
  name: string;
  value: ReactNode;
}

/** Names and values in columns. */
export function Facts({ facts }: { facts: readonly Fact[] }) {
  return (
    <dl className={css.facts}>
      {facts.map((f) => (
        <div key={f.name}>
          <dt>{f.name}</dt>
          <dd>{f.value}</dd>
        </div>
      ))}
    </dl>
  );
}
