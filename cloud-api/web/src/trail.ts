// The pages above one of a gateway.
import { useGateways } from './api/queries';

/** Gateways › the gateway, by the name people read. */
export function useTrail(gateway: string): { href: string; label: string }[] {
  const name = useGateways().data?.find((g) => g.id === gateway)?.name ?? gateway;
  return [
    { href: '/', label: 'Gateways' },
    { href: `/gateways/${gateway}`, label: name },
  ];
}
