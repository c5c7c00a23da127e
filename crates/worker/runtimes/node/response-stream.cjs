/** What a streaming handler writes to: the body of one response to the Runtime API. */
'use strict';

const { Writable } = require('node:stream');

class ResponseStream extends Writable {
  constructor(invocation, options) {
    super(options);
    this.invocation = invocation;
    this.contentType = 'application/octet-stream';
    /** What goes before the first byte of the handler. */
    this.prelude = '';
    this.reply = null;
  }

  setContentType(contentType) {
    if (this.reply !== null) {
      throw new Error('Cannot set content-type, too late.');
    }
    this.contentType = contentType;
  }

  write(chunk, ...more) {
    const isObject = typeof chunk === 'object' && chunk !== null && !ArrayBuffer.isView(chunk);
    return super.write(isObject ? JSON.stringify(chunk) : chunk, ...more);
  }

  _write(chunk, _encoding, done) {
    this.begin();
    this.send(chunk, done);
  }

  _final(done) {
    this.begin();
    this.finish('').then(() => {
      // A handler that has ended its response and goes on holds the event loop by itself.
      this.invocation.api.socket?.unref();
      done();
    }, done);
  }

  /** Nothing is sent before the first byte, so that an error until then is an ordinary one. */
  begin() {
    if (this.reply !== null) {
      return;
    }
    const { api, id, attempt } = this.invocation;
    const head = api.head(`invocation/${id}/response`, {
      ...attempt,
      'Content-Type': this.contentType,
      'Transfer-Encoding': 'chunked',
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
    });
    this.reply = api.call((socket) => socket.write(head, 'latin1'));
    // Somebody waits for it in the end; until then it must not count as unhandled.
    this.reply.catch(() => {});
    // Until the end, the event loop is the handler's.
    api.socket.unref();
    this.send(Buffer.from(this.prelude));
  }

  send(chunk, done) {
    const { socket } = this.invocation.api;
    if (socket === null) {
      done?.(new Error('the Runtime API closed the connection'));
    } else if (chunk.length === 0) {
      // An empty chunk would be the last one.
      done?.();
    } else {
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      socket.write('\r\n', 'latin1', done);
      socket.uncork();
    }
  }

  finish(trailers) {
    const { socket } = this.invocation.api;
    socket?.ref();
    socket?.write(`0\r\n${trailers}\r\n`, 'latin1');
    return this.reply;
  }

  /** Ends what was begun with an error. */
  abort(type, document) {
    const body = Buffer.from(JSON.stringify(document)).toString('base64');
    return this.finish(
      `Lambda-Runtime-Function-Error-Type: ${type}\r\nLambda-Runtime-Function-Error-Body: ${body}\r\n`,
    );
  }
}

module.exports = ResponseStream;
