// Links without a router: the app says once which component follows a link inside the page.
import {
  createContext,
  createElement,
  useContext,
  type AnchorHTMLAttributes,
  type ComponentType,
} from 'react';

export type AnchorProps = AnchorHTMLAttributes<HTMLAnchorElement> & { href: string };

function PlainAnchor({ children, ...rest }: AnchorProps) {
  return <a {...rest}>{children}</a>;
}

const LinkContext = createContext<ComponentType<AnchorProps>>(PlainAnchor);

export const LinkProvider = LinkContext.Provider;

/** A link; follows inside the page where the app provides how. */
export function Link(props: AnchorProps) {
  return createElement(useContext(LinkContext), props);
}
