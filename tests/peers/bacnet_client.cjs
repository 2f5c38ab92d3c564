// A building's management system on node-bacnet: asks one BACnet device.
//   node bacnet_client.cjs MODULES OWN PORT DEVICE:PORT INSTANCE
// MODULES is the folder node-bacnet lies in. Says READY, takes the orders of bacnet_client.py as lines of
// words, and answers in the same way; objects are TYPE,INSTANCE and properties are numbers.
'use strict';
const { createInterface } = require('node:readline');
const { join } = require('node:path');
const [modules, own, port, device] = process.argv.slice(2);
const Bacnet = require(join(modules, 'node-bacnet'));

const client = new Bacnet({ interface: own, port: Number(port), broadcastAddress: '127.255.255.255', apduTimeout: 6000 });
const to = { address: device };
const object = (text) => {
  const [type, instance] = text.split(',').map(Number);
  return { type, instance };
};
const say = (word, what) => console.log(word, JSON.stringify(what ?? null));
const plain = (values) => values.map((v) => (v.value && v.value.value !== undefined && typeof v.value === 'object' && v.value.type === undefined ? v.value.value : v.value));

/** One call with a callback at its end, as a promise. */
const ask = (name, ...args) =>
  new Promise((done) => client[name](to, ...args, (error, value) => done(error ? { refused: error.message } : value)));

const orders = {
  async read(id, property, index) {
    const options = index === undefined ? {} : { arrayIndex: Number(index) };
    const answer = await ask('readProperty', object(id), Number(property), options);
    return answer.refused ? answer : plain(answer.values);
  },
  async many(id, properties) {
    const wanted = properties.split(',').map((p) => ({ id: Number(p) }));
    const answer = await ask('readPropertyMultiple', [{ objectId: object(id), properties: wanted }]);
    return answer.refused ? answer : answer.values[0].values.map((v) => [v.id, v.value.map((x) => x.value)]);
  },
  // The tag is the number of the application type, as node-bacnet wants to be told.
  async write(id, property, tag, value, priority) {
    const values = [{ type: Number(tag), value: value === 'null' ? null : Number(value) }];
    const options = priority === undefined ? {} : { priority: Number(priority) };
    return ask('writeProperty', object(id), Number(property), values, options);
  },
  subscribe: (id, how, seconds) => ask('subscribeCov', object(id), 7, false, how === 'confirmed', Number(seconds), {}),
  cancel: (id) => ask('subscribeCov', object(id), 7, true, false, 0, {}),
  whois: (low, high) =>
    new Promise((done) => {
      const found = [];
      const hear = ({ payload }) => found.push([payload.deviceId, payload.maxApdu, payload.segmentation, payload.vendorId]);
      client.on('iAm', hear);
      client.whoIs(to, { lowLimit: Number(low), highLimit: Number(high) });
      setTimeout(() => (client.off('iAm', hear), done(found)), 1500);
    }),
};

const told = (confirmed) => (message) => {
  const { payload, header } = message;
  const { monitoredObjectId: id, values } = payload;
  for (const v of values) say('TOLD', [`${id.type},${id.instance}`, v.property.id, v.value[0].value]);
  if (confirmed) client.simpleAckResponse(header.sender, message.service, message.invokeId);
};
client.on('covNotifyUnconfirmed', told(false));
client.on('covNotify', told(true));
client.on('error', (error) => say('TROUBLE', error.message));
client.on('listening', () => console.log('READY'));

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    const [word, ...rest] = line.trim().split(/\s+/);
    try {
      say('DONE', await orders[word](...rest));
    } catch (error) {
      say('DONE', { refused: `${error.name}: ${error.message}` });
    }
  }
  process.exit(0);
})();
