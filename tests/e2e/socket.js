// A WebSocket as a test wants it: messages wait in a queue until they are asked for.

import { WebSocket } from "ws";

/** Opens; rejects with `status` and `body` when the server refuses the upgrade. */
export function open_socket(url, options) {
  const socket = new Socket(new WebSocket(url, options));
  return socket.opened.then(() => socket);
}

class Socket {
  #waiting = [];
  messages = [];

  constructor(ws) {
    this.ws = ws;
    this.opened = new Promise((done, failed) => {
      ws.on("open", done);
      ws.on("error", failed);
      ws.on("unexpected-response", (_, answer) => {
        let body = "";
        answer.on("data", (d) => (body += d));
        answer.on("end", () => failed(Object.assign(new Error(`refused: ${answer.statusCode}`), { status: answer.statusCode, body })));
      });
    });
    this.closed = new Promise((done) => ws.on("close", (code, reason) => done({ code, reason: reason.toString() })));
    ws.on("message", (data, is_binary) => {
      this.messages.push(is_binary ? data : JSON.parse(data.toString()));
      this.#waiting.splice(0).forEach((look) => look());
    });
  }

  send(message) {
    this.ws.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Takes the first message that fits: a type, or a function that says so. */
  next(wanted, seconds = 20) {
    const fits = typeof wanted === "function" ? wanted : (m) => m.type === wanted;
    return new Promise((done, failed) => {
      const give_up = setTimeout(() => failed(new Error(`no ${wanted} came, only ${JSON.stringify(this.messages)}`)), seconds * 1000);
      const look = () => {
        const index = this.messages.findIndex(fits);
        if (index < 0) return this.#waiting.push(look);
        clearTimeout(give_up);
        done(this.messages.splice(index, 1)[0]);
      };
      look();
    });
  }

  close(code = 1000) {
    this.ws.close(code);
    return this.closed;
  }
}
