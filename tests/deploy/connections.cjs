// Preloaded into sls: notes every host beyond this machine that is looked up or connected to, in the file CONNECTIONS.
const { appendFileSync } = require("node:fs");
const dns = require("node:dns");
const net = require("node:net");

const isHere = (host) => !host || /^(127\.|::1$|localhost$|\/)/.test(host);
const note = (host) => {
  if (!isHere(host)) appendFileSync(process.env.CONNECTIONS, `${host}\n`);
};
// oxlint-disable-next-line typescript/unbound-method -- it is called on the socket, below
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  note(typeof options === "object" ? (options.host ?? options.path) : args[1]);
  return connect.apply(this, args);
};
const { lookup } = dns;
dns.lookup = (host, ...rest) => {
  note(host);
  return lookup(host, ...rest);
};
