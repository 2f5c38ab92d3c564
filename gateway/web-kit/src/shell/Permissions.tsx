// What a role may do, line by line.
import { Check, X } from 'lucide-react';
import type { Role } from '../model';
import { may, PERMISSION_WORDS, type Permission } from '../words/role';
import css from './Permissions.module.css';

export function Permissions({ role }: { role: Role }) {
  return (
    <>
      <h3 className={css.heading}>What this role may do</h3>
      <ul className={css.list}>
        {(Object.keys(PERMISSION_WORDS) as Permission[]).map((permission) => {
          const allowed = may(role, permission);
          return (
            <li key={permission} className={allowed ? undefined : css.denied}>
              {allowed ? <Check size={16} aria-hidden /> : <X size={16} aria-hidden />}
              {PERMISSION_WORDS[permission]}
              <span className="r-visually-hidden">{allowed ? ': yes' : ': no'}</span>
            </li>
          );
        })}
      </ul>
    </>
  );
}
