// Which pictures there are: page, scene of the fixture, and what is done before it is taken.

const LOCAL = 'http://127.0.0.1:4801';
const NORMAL = {
  claimed: true,
  loggedIn: true,
  role: 'technician',
  link: 'live',
  empty: false,
  fail: false,
  live: true,
};

const local = (name, path, more = {}) => ({
  name: `local-${name}`,
  origin: LOCAL,
  path,
  normal: NORMAL,
  ...more,
});

const CLOUD = 'http://127.0.0.1:4802';
const CLOUD_NORMAL = { loggedIn: true, role: 'operator', empty: false, fail: false, live: true };
const cloud = (name, path, more = {}) => ({
  name: `cloud-${name}`,
  origin: CLOUD,
  path,
  normal: CLOUD_NORMAL,
  ...more,
});

const openWrite = async (page) => {
  await page.getByRole('button', { name: 'Write', exact: true }).click();
  await page.getByRole('dialog').waitFor();
};

export const SHOTS = [
  local('claim', '/', { scene: { claimed: false, loggedIn: false } }),
  local('login', '/', { scene: { loggedIn: false } }),
  local('login-locked', '/', {
    scene: { loggedIn: false },
    act: async (page) => {
      await page.getByLabel('User').fill('jonas');
      await page.getByLabel('Password', { exact: true }).fill('locked');
      await page.getByRole('button', { name: 'Log in' }).click();
    },
  }),
  local('home', '/', { full: true }),
  local('home-offline-link', '/', { scene: { link: 'offline' } }),
  local('home-empty', '/', { scene: { empty: true, link: 'disabled' } }),
  local('home-error', '/', { scene: { fail: true } }),
  local('points', '/points'),
  local('points-bad', '/points?quality=bad'),
  local('points-none', '/points?search=chiller'),
  local('points-error', '/points', { scene: { fail: true } }),
  local('why', '/points?search=co2', {
    act: async (page) => {
      await page
        .getByRole('button', { name: /explain/ })
        .nth(2)
        .click();
    },
  }),
  local('point', '/points/ahu-1/supply_setpoint', { full: true, settle: 1500 }),
  local('point-temp', '/points/ahu-1/supply_temp?range=6h', { settle: 1500 }),
  local('point-state', '/points/ahu-1/mode?range=24h', { settle: 1500 }),
  local('point-table', '/points/ahu-1/supply_temp', {
    act: (page) => page.getByRole('button', { name: 'Show as table' }).click(),
  }),
  local('point-bad', '/points/vav-07/room_temp', { settle: 1500 }),
  local('point-viewer', '/points/ahu-1/supply_setpoint', { scene: { role: 'viewer' } }),
  local('write', '/points/ahu-1/supply_setpoint', {
    act: async (page) => {
      await openWrite(page);
      await page.getByRole('button', { name: /Raise/ }).click();
    },
  }),
  local('write-states', '/points/ahu-1/mode', { act: openWrite }),
  local('write-applied', '/points/ahu-1/supply_setpoint', {
    settle: 2500,
    act: async (page) => {
      await openWrite(page);
      await page.getByRole('button', { name: /Raise/ }).click();
      await page.getByRole('button', { name: /^Write 2/ }).click();
    },
  }),
  local('write-held', '/points/ahu-2/heating_valve', {
    settle: 2500,
    act: async (page) => {
      await openWrite(page);
      await page.getByRole('button', { name: /^Write / }).click();
    },
  }),
  local('devices', '/devices', { full: true }),
  local('device', '/devices/vav-07'),
  local('alarms', '/alarms'),
  local('alarms-history', '/alarms?state=all'),
  local('alarms-empty', '/alarms', { scene: { empty: true } }),
  local('acknowledge', '/alarms', {
    act: (page) =>
      page
        .getByRole('button', { name: /Acknowledge/ })
        .first()
        .click(),
  }),
  local('settings', '/settings', { full: true }),
  local('search', '/', {
    act: async (page) => {
      await page.getByRole('button', { name: 'Search' }).click();
      await page.getByRole('combobox').fill('supply');
    },
  }),
  local('stream-lost', '/points', { scene: { live: false }, settle: 4500 }),
  local('not-found', '/nowhere'),

  cloud('login', '/', { scene: { loggedIn: false } }),
  cloud('gateways', '/'),
  cloud('gateways-empty', '/', { scene: { empty: true } }),
  cloud('gateways-error', '/', { scene: { fail: true } }),
  cloud('gateway', '/gateways/gw-001'),
  cloud('gateway-offline', '/gateways/gw-003'),
  cloud('points', '/points?gateway=gw-001'),
  cloud('point', '/gateways/gw-001/points/ahu-1/supply_temp?range=24h', { settle: 1500 }),
  cloud('write', '/gateways/gw-001/points/ahu-1/supply_setpoint', {
    act: async (page) => {
      await openWrite(page);
      await page.getByRole('button', { name: /Lower/ }).click();
    },
  }),
  cloud('write-applied', '/gateways/gw-001/points/ahu-1/supply_setpoint', {
    settle: 2500,
    act: async (page) => {
      await openWrite(page);
      await page.getByRole('button', { name: /Lower/ }).click();
      await page.getByRole('button', { name: /^Write [12]/ }).click();
    },
  }),
  cloud('alarms', '/alarms'),
  cloud('acknowledge', '/alarms', {
    act: (page) =>
      page
        .getByRole('button', { name: /Acknowledge/ })
        .first()
        .click(),
  }),
  cloud('account', '/account'),
  cloud('search', '/', {
    act: async (page) => {
      await page.getByRole('button', { name: 'Search' }).click();
      await page.getByRole('combobox').fill('co2');
    },
  }),
];
