// What to look at when a search has found nothing, by protocol, the likeliest first.

const ANYWHERE = [
  'Is the device powered, and its cable or radio in reach?',
  'Does it stand in the network or on the bus that was searched?',
];

const BY_KIND: Readonly<Record<string, readonly string[]>> = {
  modbus: [
    'TCP: does the address answer a ping, and is Modbus/TCP switched on in the device?',
    'Serial: do baud rate, parity and stop bits agree with the device? Are A and B swapped?',
    'Is the unit id within the ones that were asked? Many devices come with 1, some with 247.',
    'A device that answers one connection only is silent while another master is connected.',
  ],
  bacnet: [
    'Is the device in the same network? Who-Is does not cross a router without a BBMD: name one, and register with it.',
    'Do network mask and port (47808) agree with the device?',
    'Have two devices the same device id? Then one of them may stay silent.',
    'Does a firewall on the way drop UDP?',
  ],
  zigbee: [
    'Is zigbee2mqtt running, and connected to the same broker?',
    'Do the base topic, user and password agree with its configuration?',
    'Devices are let in by the operation “Permit joining” of the adapter, once the bridge is added.',
  ],
  tuya: [
    'Is the device on the same network as this gateway? Its announcements (UDP 6666, 6667 and 7000) do not cross a router.',
    'Is the app of the device open somewhere? Some take one connection only, and announce nothing while it lasts.',
    'A device on a battery announces itself when it wakes: press its button, then search again.',
  ],
  homeassistant: [
    'Does the address open in a browser, with the port (8123)?',
    'Is the access token one that is still in the person’s profile in Home Assistant?',
    'A certificate of its own has to be trusted here, as a file in the configuration.',
  ],
};

/** Questions a person can go through. */
export const whatToLookAt = (kind: string): readonly string[] => BY_KIND[kind] ?? ANYWHERE;
