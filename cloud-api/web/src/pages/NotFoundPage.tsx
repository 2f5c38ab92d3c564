// An address no page has.
import { EmptyState, Link, PageHeader, Panel } from '@riser/kit';

export default function NotFoundPage() {
  return (
    <>
      <PageHeader title="No such page" />
      <Panel>
        <EmptyState title="Nothing is at this address" action={<Link href="/">To the first page</Link>}>
          The link may be older than this version. Search with “/” finds points, devices and pages.
        </EmptyState>
      </Panel>
    </>
  );
}
