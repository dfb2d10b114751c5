// The officer's key. It is made in this browser and cannot leave it; what
// headquarters gets is its public half, which somebody certifies. So an act is
// his, and headquarters cannot make one.
import {me, post} from './api.js';

function store(mode, use) {
  return new Promise((resolve, reject) => {
    const open = indexedDB.open('officer', 1);
    open.onupgradeneeded = () => open.result.createObjectStore('keys');
    open.onerror = () => reject(open.error);
    open.onsuccess = () => {
      const t = open.result.transaction('keys', mode);
      const r = use(t.objectStore('keys'));
      t.oncomplete = () => { open.result.close(); resolve(r.result); };
      t.onerror = () => reject(t.error);
    };
  });
}

export const held = () => store('readonly', (s) => s.get(me.name));

// make makes a key in the place of the one that was here.
export async function make() {
  const pair = await crypto.subtle.generateKey({name: 'Ed25519'}, false, ['sign', 'verify']);
  await store('readwrite', (s) => s.put(pair, me.name));
  return pair;
}

const hex = (b) => Array.from(new Uint8Array(b), (x) => x.toString(16).padStart(2, '0')).join('');
const text64 = (b) => btoa(String.fromCharCode(...new Uint8Array(b)));
const url64 = (b) => text64(b).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const utf8 = (s) => new TextEncoder().encode(s);

async function kid(pair) {
  const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
  return 'officer-' + hex(await crypto.subtle.digest('SHA-256', raw)).slice(0, 16);
}

// card is what somebody needs to certify the key.
export async function card(pair) {
  const der = await crypto.subtle.exportKey('spki', pair.publicKey);
  const lines = text64(der).match(/.{1,64}/g).join('\n');
  const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
  const print = hex(await crypto.subtle.digest('SHA-256', raw)).match(/.{4}/g).join(' ');
  return {kid: await kid(pair), print, pem: `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`};
}

// sign fetches a nonce of the gate and signs the act over it: the JWS of
// sync/wire. It gives what the console takes, base64.
export async function sign(gate, act) {
  const pair = await held();
  if (!pair) {
    throw new Error('This browser holds no key of yours: press My key.');
  }
  const {nonce} = await post(`/api/lanes/${encodeURIComponent(gate)}/nonce`);
  const head = {alg: 'EdDSA', kid: await kid(pair), typ: 'act', ver: 1, to: gate, iat: Date.now()};
  const signed = url64(utf8(JSON.stringify(head))) + '.' + url64(utf8(JSON.stringify({...act, nonce})));
  const mark = await crypto.subtle.sign({name: 'Ed25519'}, pair.privateKey, utf8(signed));
  return text64(utf8(`${signed}.${url64(mark)}`));
}
