// JsSIP as a browser would run it, but for WebRTC, which Node has not: a stand-in makes and takes session
// descriptions, and like a browser takes none without a fingerprint. Told what to do by lines on standard
// input, it tells what happens by lines on standard output.
'use strict';

const [url, uri, password] = process.argv.slice(2);
globalThis.window = globalThis;
globalThis.WebSocket = require('ws');
const JsSIP = require('jssip');

const say = (...words) => process.stdout.write(`${words.join(' ')}\n`);

const SDP = [
  'v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'c=IN IP4 0.0.0.0', 'a=rtcp-mux', 'a=ice-ufrag:abcd',
  'a=ice-pwd:abcdefghijklmnopqrstuvwx', `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
  'a=setup:actpass', 'a=mid:0', 'a=sendrecv', 'a=rtpmap:111 opus/48000/2', '',
].join('\r\n');

class PeerConnection {
  constructor() {
    this.iceGatheringState = 'complete';
    this.iceConnectionState = 'new';
    this.signalingState = 'stable';
    this.localDescription = null;
  }
  addEventListener() {}
  removeEventListener() {}
  addTrack() {}
  getSenders() { return []; }
  getReceivers() { return []; }
  async createOffer() { return { type: 'offer', sdp: SDP }; }
  async createAnswer() {
    return { type: 'answer', sdp: SDP.replace('a=setup:actpass', 'a=setup:active') };
  }
  async setLocalDescription(description) { this.localDescription = description; }
  async setRemoteDescription(description) {
    if (!description.sdp.includes('a=fingerprint:')) throw new Error('no fingerprint');
  }
  close() { this.signalingState = 'closed'; }
}
globalThis.RTCPeerConnection = PeerConnection;
globalThis.RTCSessionDescription = class { constructor(init) { Object.assign(this, init); } };

const stream = { getTracks: () => [], getAudioTracks: () => [], getVideoTracks: () => [] };
const media = { mediaStream: stream, mediaConstraints: { audio: false, video: false } };

const ua = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(url)],
  uri, password, register: true, session_timers: false,
});
let session = null;

ua.on('registered', () => say('registered'));
ua.on('registrationFailed', (event) => say('unregistered', event.response ? event.response.status_code : 0));
ua.on('newMessage', ({ originator, message, request }) => {
  if (originator === 'remote') say('message', message.remote_identity.uri.user, request.body);
});
ua.on('newRTCSession', (event) => {
  session = event.session;
  session.on('progress', () => say('progress'));
  session.on('confirmed', () => say('confirmed'));
  session.on('ended', (end) => say('ended', end.originator, end.cause));
  session.on('failed', (end) => {
    say('failed', end.message && end.message.status_code ? end.message.status_code : 0, end.originator, end.cause);
  });
  if (event.originator === 'remote') say('incoming', session.remote_identity.uri.user);
});

const orders = {
  message: (target, text) => ua.sendMessage(target, text, {
    eventHandlers: {
      succeeded: () => say('sent'),
      failed: (end) => say('unsent', end.response ? end.response.status_code : 0),
    },
  }),
  call: (target) => ua.call(target, media),
  answer: () => session.answer(media),
  hangup: () => session.terminate(),
  stop: () => { ua.stop(); setTimeout(() => process.exit(0), 200); },
};

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [order, ...words] = line.split(' ');
  orders[order](words[0], words.slice(1).join(' '));
}).on('close', () => process.exit(0));
ua.start();
