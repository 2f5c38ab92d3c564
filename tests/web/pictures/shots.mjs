// Which pictures there are: the page, what is done on it before it is taken, and in which state of the
// building. Every state is a real one: programs of the demo are killed or frozen to get it.

const openWrite = async (page) => {
  await page.getByRole('button', { name: 'Write', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  return dialog;
};

const openAcknowledge = async (page) => {
  await page
    .getByRole('button', { name: /^Acknowledge/ })
    .first()
    .click();
  await page.getByRole('dialog').getByLabel('Comment').waitFor();
};

const search = (text) => async (page) => {
  await page.getByRole('button', { name: 'Search', exact: false }).locator('visible=true').first().click();
  await page.getByRole('combobox', { name: /^Search/ }).fill(text);
  await page.getByRole('option').first().waitFor();
};

const writeAndWait = (outcome) => async (page) => {
  const dialog = await openWrite(page);
  await dialog.getByRole('button', { name: /^Raise/ }).click();
  await dialog.getByRole('button', { name: /^Write \d/ }).click();
  await dialog.getByText(outcome, { exact: true }).waitFor();
};

const inQuarantine = (page) => page.getByText('Quarantine', { exact: true }).waitFor({ timeout: 75_000 });

const SETPOINT = 'ahu-1/supply_setpoint';

/** Before anybody has an account. */
export const UNCLAIMED = [{ name: 'local-claim', path: '/' }];

/** Without a session. */
export const LOGGED_OUT = [
  { name: 'local-login', path: '/' },
  { name: 'cloud-login', path: '/' },
  {
    name: 'cloud-login-wrong',
    path: '/',
    act: async (page) => {
      await page.getByLabel('E-mail').fill('operator@demo.example');
      await page.getByLabel('Password', { exact: true }).fill('not this one');
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByRole('alert').waitFor();
    },
  },
];

/** The building as it should be. */
export const NORMAL = [
  { name: 'local-home', path: '/' },
  { name: 'local-points', path: '/points' },
  { name: 'local-points-found', path: '/points?search=setpoint' },
  { name: 'local-points-none', path: '/points?search=chiller' },
  {
    name: 'local-why',
    path: '/points?search=setpoint',
    act: async (page) => {
      await page
        .getByRole('button', { name: /explain/ })
        .first()
        .click();
      await page.getByRole('dialog').getByText('Who holds it').waitFor();
    },
  },
  { name: 'local-point', path: `/points/${SETPOINT}?range=15m` },
  { name: 'local-point-trend', path: '/points/ahu-1/supply_temp?range=15m' },
  { name: 'local-point-state', path: '/points/ahu-1/fan_mode?range=15m' },
  { name: 'local-point-bad', path: '/points/ahu-1/humidifier?range=15m' },
  {
    name: 'local-point-table',
    path: '/points/ahu-1/supply_temp?range=15m',
    act: (page) => page.getByRole('button', { name: 'Show as table' }).click(),
  },
  {
    name: 'local-write',
    path: `/points/${SETPOINT}?range=15m`,
    act: async (page) => {
      const dialog = await openWrite(page);
      await dialog.getByRole('button', { name: /^Raise/ }).click();
    },
  },
  { name: 'local-write-states', path: '/points/ahu-1/fan_mode?range=15m', act: openWrite },
  { name: 'local-write-applied', path: '/points/vav-1/setpoint?range=15m', act: writeAndWait('Applied') },
  {
    name: 'local-write-held',
    path: `/points/${SETPOINT}?range=15m`,
    act: async (page) => {
      const dialog = await openWrite(page);
      await dialog.getByLabel('Priority').selectOption('12');
      await dialog.getByRole('button', { name: /^Write \d/ }).click();
      await dialog.getByText('Accepted, not effective').waitFor();
    },
  },
  { name: 'local-devices', path: '/devices' },
  { name: 'local-add', path: '/add?protocol=modbus' },
  { name: 'local-adapter', path: '/adapters/plant' },
  { name: 'local-device', path: '/devices/ahu-1' },
  { name: 'local-alarms', path: '/alarms' },
  { name: 'local-alarms-history', path: '/alarms?state=all' },
  { name: 'local-acknowledge', path: '/alarms', act: openAcknowledge },
  { name: 'local-settings', path: '/settings' },
  { name: 'local-configuration', path: '/configuration' },
  {
    name: 'local-configuration-checked',
    path: '/configuration',
    act: async (page) => {
      const document = page.getByRole('textbox', { name: 'Document' });
      await document.waitFor();
      await document.fill((await document.inputValue()).replace('limit = ', 'limit = 1'));
      await page.getByRole('button', { name: 'Check', exact: true }).click();
      await page.getByRole('list', { name: 'Differences' }).waitFor();
    },
  },
  { name: 'local-audit', path: '/audit' },
  { name: 'local-completeness', path: '/completeness' },
  { name: 'local-search', path: '/', act: search('supply') },
  { name: 'local-not-found', path: '/nowhere' },

  { name: 'cloud-gateways', path: '/' },
  { name: 'cloud-gateway', path: '/gateways/gw-001' },
  { name: 'cloud-audit', path: '/gateways/gw-001/audit' },
  { name: 'cloud-configuration', path: '/gateways/gw-001/configuration' },
  { name: 'cloud-points', path: '/points' },
  { name: 'cloud-point', path: '/gateways/gw-001/points/ahu-1/supply_temp?range=15m' },
  { name: 'cloud-point-setpoint', path: `/gateways/gw-001/points/${SETPOINT}?range=15m` },
  {
    name: 'cloud-write',
    path: `/gateways/gw-001/points/${SETPOINT}?range=15m`,
    act: async (page) => {
      const dialog = await openWrite(page);
      await dialog.getByRole('button', { name: /^Lower/ }).click();
    },
  },
  {
    name: 'cloud-write-applied',
    path: '/gateways/gw-001/points/vav-2/setpoint?range=15m',
    act: writeAndWait('Applied'),
  },
  { name: 'cloud-alarms', path: '/alarms' },
  { name: 'cloud-acknowledge', path: '/alarms', act: openAcknowledge },
  { name: 'cloud-account', path: '/account' },
  { name: 'cloud-search', path: '/', act: search('co2') },
];

/** A configuration from the dashboard is on trial. */
export const ON_TRIAL = [
  { name: 'local-configuration-trial', path: '/configuration' },
  { name: 'cloud-configuration-trial', path: '/gateways/gw-001/configuration' },
];

/** Two batches were damaged on the disk. */
export const QUARANTINE = [
  { name: 'local-quarantine', path: '/completeness', act: inQuarantine },
  { name: 'cloud-quarantine', path: '/gateways/gw-001', act: inQuarantine },
];

/** The field is silent: the simulator stands still. */
export const SILENT_FIELD = [
  { name: 'local-silent-home', path: '/' },
  { name: 'local-silent-points', path: '/points?quality=bad' },
  { name: 'local-silent-device', path: '/devices/ahu-1' },
  { name: 'local-silent-point', path: '/points/ahu-1/supply_temp?range=15m' },
];

/** The cloud is gone. */
export const NO_CLOUD = [{ name: 'local-alone-home', path: '/' }];

/** The gateway is gone; the cloud is back. */
export const NO_GATEWAY = [
  { name: 'cloud-away-gateways', path: '/' },
  { name: 'cloud-away-gateway', path: '/gateways/gw-001' },
  { name: 'cloud-away-point', path: `/gateways/gw-001/points/${SETPOINT}?range=15m` },
];
