// The frame of every page: rail on a desk, bar at the thumb on a phone. Owns no navigation of its own.
import { Search, type LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { Mark } from '../brand/Mark';
import { Link } from '../link';
import type { AlarmPriority } from '../model';
import css from './AppShell.module.css';

export interface NavItem {
  href: string;
  label: string;
  icon: LucideIcon;
  /** How many wait, and how bad the worst is. */
  badge?: { count: number; priority: AlarmPriority; spoken: string };
}

interface AppShellProps {
  /** What this app is: the gateway's name, the tenant. */
  title: string;
  subtitle: string;
  /** At most five. */
  items: readonly NavItem[];
  isActive: (href: string) => boolean;
  onSearch: () => void;
  /** Foot of the rail: who is logged in, the state of the link. */
  foot?: ReactNode;
  /** Right end of the phone's top bar. */
  corner?: ReactNode;
  banner?: ReactNode;
  children: ReactNode;
}

function Badge({ badge }: { badge: NonNullable<NavItem['badge']> }) {
  if (badge.count === 0) return null;
  return (
    <span className={`${css.badge} ${css[badge.priority]}`}>
      <span aria-hidden>{badge.count > 99 ? '99+' : badge.count}</span>
      <span className="r-visually-hidden">, {badge.spoken}</span>
    </span>
  );
}

function Nav({
  items,
  isActive,
  className,
  label,
}: {
  items: readonly NavItem[];
  isActive: (href: string) => boolean;
  className?: string;
  label: string;
}) {
  return (
    <nav className={className} aria-label={label}>
      {items.map((item) => (
        <Link
          key={item.href}
          href={item.href}
          className={`${css.item} ${isActive(item.href) ? css.active : ''}`}
          aria-current={isActive(item.href) ? 'page' : undefined}
          title={item.label}
        >
          <span className={css.icon}>
            <item.icon size={20} strokeWidth={1.75} aria-hidden />
          </span>
          <span className={css.label}>{item.label}</span>
          {item.badge && <Badge badge={item.badge} />}
        </Link>
      ))}
    </nav>
  );
}

export function AppShell(props: AppShellProps) {
  return (
    <div className={css.shell}>
      <a className={css.skip} href="#content">
        Skip to content
      </a>
      <header className={css.top}>
        <Link href="/" className={css.brand} aria-label={`${props.title}, to the first page`}>
          <span className={css.mark}>
            <Mark size={20} />
          </span>
          <span className={css.title}>{props.title}</span>
        </Link>
        <div className={css.corner}>
          {props.corner}
          <button type="button" className={css.lens} onClick={props.onSearch} aria-label="Search">
            <Search size={20} aria-hidden />
          </button>
        </div>
      </header>
      <aside className={css.rail}>
        <Link href="/" className={css.brand}>
          <span className={css.mark}>
            <Mark size={22} />
          </span>
          <span className={css.names}>
            <span className={css.title}>{props.title}</span>{' '}
            <span className={css.subtitle}>{props.subtitle}</span>
          </span>
          <span className="r-visually-hidden"> to the first page</span>
        </Link>
        <button type="button" className={css.search} onClick={props.onSearch} title="Search">
          <Search size={16} aria-hidden />
          <span className={css.searchLabel}>Search</span>
          <kbd className={css.key}>/</kbd>
        </button>
        <Nav items={props.items} isActive={props.isActive} className={css.nav} label="Pages" />
        <div className={css.foot}>{props.foot}</div>
      </aside>
      <div className={css.main}>
        {props.banner}
        <main id="content" className={css.content} tabIndex={-1}>
          {props.children}
        </main>
      </div>
      <Nav items={props.items} isActive={props.isActive} className={css.bottom} label="Pages" />
    </div>
  );
}
