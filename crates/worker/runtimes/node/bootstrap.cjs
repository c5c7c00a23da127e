/**
 * The Node.js runtime of Dunlin: asks the Runtime API for events and hands them to the function's handler.
 *
 * A cold start waits for this file, so it loads next to nothing: it is a CommonJS module, because the loader of ES modules
 * costs more than all the rest; the HTTP client is a raw socket; and lines of the log are written without `process.stdout`,
 * which is a stream that has to be made first. What is documented of Lambda's Node.js runtimes holds here:
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html
 */
'use strict';

const { existsSync, readFileSync, statSync, writeSync } = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const util = require('node:util');

const environment = process.env;
/** The version whose rules hold: the one that the function asks for, whichever runs it. */
const major = Number(/nodejs(\d+)/.exec(environment.AWS_EXECUTION_ENV)?.[1] ?? process.versions.node.split('.')[0]);
/** From 24 on there are no callbacks, and what a handler returns is its result at once. */
const hasCallbacks = major < 24;

const STATUS_OF_REJECTION = 128;
const STATUS_OF_EXCEPTION = 129;
/** What Node.js itself ends with when a module waits for what never comes. */
const STATUS_OF_UNSETTLED_AWAIT = 13;

/** A failure with a name of the platform instead of an exception's. */
class PlatformError extends Error {
  constructor(type, message, details) {
    super(message);
    Object.defineProperty(this, 'name', { value: type });
    Object.assign(this, details);
    // The first line of the stack is made of the name.
    Error.captureStackTrace(this, PlatformError);
  }
}

const unsettled = () =>
  new PlatformError('Runtime.NodeJsExit', 'The event loop is empty, and the promise of the handler was never settled.');

// --- Runtime API -----------------------------------------------------------------------------------------------------

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const VISIBLE = /^[\t\x20-\x7e]*$/;

/**
 * One connection, kept open, to the Runtime API. While a handler runs it does not keep the event loop alive, so that an empty
 * event loop can be noticed.
 */
class RuntimeApi {
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.peer = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true };
    this.fixed = ` HTTP/1.1\r\nHost: ${address}\r\nUser-Agent: aws-lambda-nodejs/${process.version}-dunlin\r\n`;
    this.socket = null;
    this.pending = null;
    this.parts = [];
    this.received = 0;
    /** How much there must be before it is worth to look again. */
    this.awaited = 0;
  }

  async next() {
    const head = `GET /2018-06-01/runtime/invocation/next${this.fixed}\r\n`;
    const call = () => this.call((socket) => socket.write(head, 'latin1'));
    // The one call that may be repeated: nothing was handed over yet.
    const reply = await call().catch(call);
    if (reply.status !== 200) {
      throw new Error(`no invocation: status ${reply.status}`);
    }
    this.socket?.unref();
    return reply;
  }

  post(where, body, headers) {
    const head = this.head(where, { ...headers, 'Content-Length': Buffer.byteLength(body) });
    return this.call((socket) => {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body);
      socket.uncork();
    });
  }

  head(where, headers) {
    let lines = `POST /2018-06-01/runtime/${where}${this.fixed}`;
    for (const [name, value] of Object.entries(headers)) {
      // A function chooses the type of its content, and must not write more of the head than that.
      if (!VISIBLE.test(value)) {
        throw new TypeError(`Invalid character in the header ${name}`);
      }
      lines += `${name}: ${value}\r\n`;
    }
    return lines + '\r\n';
  }

  /** Sends a request and answers the reply to it. */
  call(send) {
    return new Promise((resolve, reject) => {
      this.pending = { resolve, reject };
      const socket = this.connected();
      socket.ref();
      send(socket);
    });
  }

  connected() {
    if (this.socket === null) {
      const socket = net.connect(this.peer);
      const lost = (error) => {
        if (this.socket === socket) {
          this.socket = null;
          this.parts = [];
          this.received = 0;
          this.awaited = 0;
          this.settle('reject', error ?? new Error('the Runtime API closed the connection'));
        }
      };
      socket.on('data', (part) => this.take(part));
      socket.on('error', lost);
      socket.on('close', () => lost());
      this.socket = socket;
    }
    return this.socket;
  }

  settle(how, value) {
    const pending = this.pending;
    this.pending = null;
    pending?.[how](value);
  }

  take(part) {
    this.parts.push(part);
    this.received += part.length;
    if (this.received < this.awaited) {
      return;
    }
    const data = this.parts.length === 1 ? part : Buffer.concat(this.parts);
    this.parts = [data];
    const end = data.indexOf(END_OF_HEAD);
    if (end < 0) {
      return;
    }
    const lines = data.toString('utf8', 0, end).split('\r\n');
    const headers = Object.create(null);
    for (const line of lines.slice(1)) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const from = end + END_OF_HEAD.length;
    const to = from + Number(headers['content-length'] ?? 0);
    if (data.length < to) {
      this.awaited = to;
      return;
    }
    this.awaited = 0;
    this.parts = data.length > to ? [data.subarray(to)] : [];
    this.received = data.length - to;
    this.settle('resolve', { status: Number(lines[0].split(' ')[1]), headers, body: data.toString('utf8', from, to) });
  }
}

// --- Log -------------------------------------------------------------------------------------------------------------

const LEVELS = { TRACE: 8, DEBUG: 16, INFO: 24, WARN: 32, ERROR: 40, FATAL: 48 };
const isJson = environment.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
const threshold = LEVELS[environment.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? 0;

let requestId;
let tenantId;
let sleeper;

/** Each text is a record and ends a line; carriage returns keep the lines inside it together. */
function writeRecord(text) {
  const data = Buffer.from(text.replace(/\n/g, '\r') + '\n');
  for (let at = 0; at < data.length; ) {
    try {
      at += writeSync(1, data, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') {
        throw error;
      }
      // Once `process.stdout` was used, the pipe does not wait for its reader by itself.
      sleeper ??= new Int32Array(new SharedArrayBuffer(4));
      Atomics.wait(sleeper, 0, 0, 1);
    }
  }
}

function log(level, values) {
  if (LEVELS[level] < threshold) {
    return;
  }
  const timestamp = new Date().toISOString();
  if (isJson) {
    writeRecord(jsonRecord({ timestamp, level, requestId, tenantId }, values));
  } else {
    writeRecord(`${timestamp}\t${requestId}\t${level}\t${util.format(...values)}`);
  }
}

function jsonRecord(record, values) {
  if (values.length === 1) {
    try {
      return JSON.stringify({ ...record, message: values[0] }, describedErrors);
    } catch {
      // No JSON: as text.
    }
  }
  record.message = util.format(...values);
  const error = values.length > 1 ? values.find(isError) : undefined;
  // Of an error among others only what is text: its other members may be anything, rings for example.
  return JSON.stringify(error === undefined ? record : { ...record, ...described(error) });
}

function described(error) {
  const errorType = String(error instanceof PlatformError ? error.name : error.constructor?.name ?? 'UnknownError');
  return { errorType, errorMessage: String(error.message), stackTrace: linesOf(error.stack) };
}

function describedErrors(_name, value) {
  return isError(value) ? { ...described(value), ...value } : value;
}

/** The log's lines about what went wrong are of the same form whatever was thrown. */
function logError(label, thrown) {
  if (isJson) {
    const { errorType, errorMessage, trace } = errorDocument(thrown);
    log('ERROR', [isError(thrown) ? thrown : { errorType, errorMessage, stackTrace: trace }]);
  } else {
    log('ERROR', [label, '\t' + flat(thrown)]);
  }
}

/** An error as one line of JSON, together with the members that its class or its owner added. */
function flat(thrown) {
  const plain = ({ errorType, errorMessage, trace }) => ({ errorType, errorMessage, stack: trace });
  if (!isError(thrown)) {
    return JSON.stringify(plain(errorDocument(thrown)));
  }
  const seen = new Set();
  const described = (_name, value) => {
    if (typeof value === 'bigint') {
      return String(value);
    }
    if (value !== null && typeof value === 'object') {
      if (seen.has(value)) {
        return undefined;
      }
      seen.add(value);
    }
    if (!isError(value)) {
      return value;
    }
    const { name, message, stack, ...more } = value;
    return { errorType: value.name, errorMessage: value.message, ...more, stack: linesOf(value.stack) };
  };
  try {
    return JSON.stringify(thrown, described);
  } catch {
    return JSON.stringify(plain(errorDocument(thrown)));
  }
}

function patchConsole() {
  const methods = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', log: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
  for (const [method, level] of Object.entries(methods)) {
    console[method] = (...values) => log(level, values);
  }
}

// --- Errors ----------------------------------------------------------------------------------------------------------

/** Whether this is an error, of this or of another realm such as a `vm` context. */
function isError(value) {
  return value instanceof Error || util.types.isNativeError(value);
}

const linesOf = (stack) => (typeof stack === 'string' ? stack.split('\n') : []);

/** What the caller of the function gets. */
function errorDocument(thrown) {
  try {
    if (isError(thrown)) {
      return { errorType: thrown.name, errorMessage: thrown.message, trace: linesOf(thrown.stack) };
    }
    return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] };
  } catch {
    return { errorType: 'handled', errorMessage: 'what was thrown cannot be described', trace: [] };
  }
}

/** The longest line of a stack that is read. */
const FRAME_MAX = 1024;
/** The longest name of an error that goes into a header. */
const ERROR_TYPE_MAX = 1024;

/** What X-Ray is told: the frames of the stack, as fields. */
function xrayCause({ errorType, errorMessage, trace }) {
  const stack = [];
  for (const line of trace) {
    // Nobody's frame is longer, and a message may be anything.
    if (line.length > FRAME_MAX) {
      continue;
    }
    const [, label, where, number] = /^\s*at (?:(.+) \()?(.+?):(\d+):\d+\)?$/.exec(line) ?? [];
    if (where !== undefined) {
      stack.push({ path: where, line: Number(number), label: label ?? 'anonymous' });
    }
  }
  return {
    working_directory: workingDirectory(),
    exceptions: [{ type: errorType, message: errorMessage, stack }],
    paths: [...new Set(stack.map((frame) => frame.path))],
  };
}

function workingDirectory() {
  try {
    return process.cwd();
  } catch {
    // The code has deleted it.
    return '';
  }
}

/** A header's value is ASCII. */
const ascii = (text) =>
  text.replace(/[^\x20-\x7e]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

const errorTypeOf = ({ errorType }) => ascii(String(errorType).slice(0, ERROR_TYPE_MAX));

function errorHeaders(document) {
  const headers = {
    'Content-Type': 'application/json',
    'Lambda-Runtime-Function-Error-Type': errorTypeOf(document),
  };
  const cause = ascii(JSON.stringify(xrayCause(document)));
  if (cause.length < 1 << 20) {
    headers['Lambda-Runtime-Function-XRay-Error-Cause'] = cause;
  }
  return headers;
}

// --- Streamed responses ----------------------------------------------------------------------------------------------

/** Wrappers of handlers know these names, and carry the marks over to what they make. */
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const WITH_PRELUDE = 'application/vnd.awslambda.http-integration-response';

/** Made on first use: most functions do not stream. */
function responseStream(invocation, highWaterMark) {
  const ResponseStream = require('./response-stream.cjs');
  return new ResponseStream(invocation, { highWaterMark });
}

/** What code finds as the global `awslambda`. */
function offerStreaming() {
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[STREAMING] = 'response';
      const mark = parseInt(options?.highWaterMark, 10);
      if (!Number.isNaN(mark)) {
        handler[HIGH_WATER_MARK] = mark;
      }
      return handler;
    },
    HttpResponseStream: class HttpResponseStream {
      /** Puts status, headers and cookies, and eight zeros, before the first byte. */
      static from(stream, metadata) {
        stream.setContentType(WITH_PRELUDE);
        stream.prelude = JSON.stringify(metadata) + '\0'.repeat(8);
        return stream;
      }
    },
  };
}

// --- Invocations -----------------------------------------------------------------------------------------------------

/** What runs now; `null` while the runtime waits for an event. */
let current = null;

class Invocation {
  constructor(api, headers, over) {
    this.api = api;
    this.id = headers['lambda-runtime-aws-request-id'];
    const attempt = headers['lambda-runtime-invocation-id'];
    this.attempt = attempt === undefined ? {} : { 'Lambda-Runtime-Invocation-Id': attempt };
    /** Tells the loop that the next event may come. */
    this.over = over;
    this.isAnswered = false;
    this.stream = null;
    /** What an empty event loop means. */
    this.whenIdle = () => this.respond(null);
  }

  respond(result) {
    if (this.isAnswered) {
      return;
    }
    let body;
    try {
      // A function, for example, has no JSON at all.
      body = JSON.stringify(result === undefined ? null : result) ?? 'null';
    } catch {
      this.fail(new Error('Unable to stringify response body'));
      return;
    }
    this.answer('response', body, { 'Content-Type': 'application/json' });
  }

  fail(thrown, label = 'Invoke Error') {
    if (this.isAnswered) {
      return;
    }
    logError(label, thrown);
    const document = errorDocument(thrown);
    const { stream } = this;
    let hasEnded = false;
    if (stream === null || stream.reply === null) {
      this.answer('error', JSON.stringify(document), errorHeaders(document));
    } else {
      this.isAnswered = true;
      hasEnded = stream.writableEnded && !stream.errored;
      this.over(hasEnded ? stream.reply : stream.abort(errorTypeOf(document), document));
    }
    // Whatever the handler still writes goes nowhere; what it had ended goes out.
    if (!hasEnded) {
      stream?.destroy();
    }
  }

  answer(kind, body, headers) {
    this.isAnswered = true;
    this.over(this.api.post(`invocation/${this.id}/${kind}`, body, { ...headers, ...this.attempt }));
  }

  /** Calls a handler that returns its result, a promise of it, or, before Node.js 24, calls back. */
  run(handler, event, context) {
    const result = handler(event, context, hasCallbacks ? this.callback(context) : undefined);
    if (typeof result?.then === 'function') {
      this.whenIdle = () => this.fail(unsettled());
      result.then(
        (value) => this.respond(value),
        (error) => this.fail(error),
      );
    } else if (!hasCallbacks) {
      this.respond(result);
    }
  }

  callback(context) {
    return (error, result) => {
      if (error !== undefined && error !== null) {
        this.fail(error);
      } else if (context.callbackWaitsForEmptyEventLoop) {
        this.whenIdle = () => this.respond(result);
      } else {
        this.respond(result);
      }
    };
  }

  /** Calls a handler that writes to a stream. It is over when the stream has ended and, before Node.js 24, the handler too. */
  runStreaming(handler, event, context) {
    const stream = (this.stream = responseStream(this, handler[HIGH_WATER_MARK]));
    this.whenIdle = () => this.fail(unsettled());
    stream.on('error', (error) => this.fail(error));
    const ended = new Promise((resolve) => stream.on('finish', resolve));
    const returned = handler(event, stream, context);
    const both = hasCallbacks ? Promise.all([ended, returned]) : ended;
    Promise.resolve(returned).catch((error) => this.fail(error));
    both.then(
      () => {
        if (!this.isAnswered) {
          this.isAnswered = true;
          this.over(stream.reply);
        }
      },
      () => {},
    );
  }
}

function contextOf(invocation, headers) {
  const parsed = (name, what) => {
    try {
      return headers[name] && JSON.parse(headers[name]);
    } catch (error) {
      throw new Error(`Cannot parse ${what} as JSON: ${error.message}`);
    }
  };
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const context = {
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed('lambda-runtime-client-context', 'the client context'),
    identity: parsed('lambda-runtime-cognito-identity', 'the identity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: invocation.id,
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
  if (hasCallbacks) {
    const done = (error, result) => {
      if (error !== undefined && error !== null) {
        invocation.fail(error);
      } else {
        invocation.respond(result);
      }
    };
    context.callbackWaitsForEmptyEventLoop = true;
    context.done = done;
    context.succeed = (result) => done(null, result);
    context.fail = (error) => done(error ?? 'handled');
  }
  return context;
}

/** Runs one invocation; answers when the next event may come. */
function invoke(api, handler, { headers, body }) {
  return new Promise((resolve) => {
    const invocation = new Invocation(api, headers, (reply) => {
      answering = reply;
      resolve(reply);
    });
    current = invocation;
    requestId = invocation.id;
    tenantId = headers['lambda-runtime-aws-tenant-id'];
    const trace = headers['lambda-runtime-trace-id'];
    if (trace === undefined) {
      delete environment._X_AMZN_TRACE_ID;
    } else {
      environment._X_AMZN_TRACE_ID = trace;
    }
    try {
      const context = contextOf(invocation, headers);
      const event = JSON.parse(body);
      if (handler[STREAMING] === 'response') {
        invocation.runStreaming(handler, event, context);
      } else {
        invocation.run(handler, event, context);
      }
    } catch (error) {
      invocation.fail(error);
    }
  });
}

// --- The handler -----------------------------------------------------------------------------------------------------

async function loadHandler(name) {
  if (name.includes('..')) {
    const advice = 'Use absolute paths when specifying root directories in handler names.';
    throw new PlatformError('Runtime.MalformedHandlerName', `'${name}' is not a valid handler name. ${advice}`);
  }
  const base = path.basename(name);
  const dot = base.indexOf('.');
  if (dot < 0) {
    throw new PlatformError('Runtime.MalformedHandlerName', 'Bad handler');
  }
  const module = path.join(name.slice(0, -base.length), base.slice(0, dot));
  const exported = await loadModule(module);
  const handler = base
    .slice(dot + 1)
    .split('.')
    .reduce((nested, member) => nested?.[member], exported);
  if (handler === undefined || handler === null) {
    throw new PlatformError('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  }
  if (typeof handler !== 'function') {
    throw new PlatformError('Runtime.HandlerNotFound', `${name} is not a function`);
  }
  if (!hasCallbacks && handler.length > 2 && handler[STREAMING] !== 'response') {
    throw new PlatformError(
      'Runtime.CallbackHandlerDeprecated',
      `${name} takes a callback: from Node.js 24 on, handlers return their result or a promise of it.`,
    );
  }
  return handler;
}

async function loadModule(module) {
  const root = environment.LAMBDA_TASK_ROOT ?? process.cwd();
  const place = path.resolve(root, module);
  const isFile = (file) => statSync(file, { throwIfNoEntry: false })?.isFile();
  try {
    const found = ['', '.js', '.mjs', '.cjs'].map((extension) => place + extension).find(isFile);
    // Else it may be a package, of a layer for example.
    const file = found ?? require.resolve(module, { paths: [root] });
    return isEsModule(file) ? await import(require('node:url').pathToFileURL(file)) : require(file);
  } catch (error) {
    // With their kind, as the platform's name does not tell it.
    if (error?.code === 'MODULE_NOT_FOUND') {
      throw new PlatformError('Runtime.ImportModuleError', String(error));
    }
    if (error instanceof SyntaxError) {
      throw syntaxError(error);
    }
    throw error;
  }
}

/** The stack of a syntax error begins with the place and the line of the code, which its message does not have. */
function syntaxError(error) {
  const fault = new PlatformError('Runtime.UserCodeSyntaxError', String(error));
  fault.stack = `${fault.name}: ${error}\n` + linesOf(error.stack).join('\n');
  return fault;
}

function isEsModule(file) {
  const extension = path.extname(file);
  if (extension !== '.js') {
    return extension === '.mjs';
  }
  for (let directory = path.dirname(file); ; directory = path.dirname(directory)) {
    const described = path.join(directory, 'package.json');
    if (existsSync(described)) {
      try {
        return JSON.parse(readFileSync(described, 'utf8')).type === 'module';
      } catch {
        return false;
      }
    }
    if (directory === path.dirname(directory) || path.basename(directory) === 'node_modules') {
      return false;
    }
  }
}

// --- The process -----------------------------------------------------------------------------------------------------

let isInitialised = false;
let isEnding = false;
/** The reply to the last answer, which must be there before the process ends. */
let answering = null;

/** Tells the platform why, and ends the process. */
async function end(api, label, thrown, status) {
  if (isEnding) {
    return;
  }
  isEnding = true;
  try {
    if (!isInitialised) {
      logError(label, thrown);
      const document = errorDocument(thrown);
      await api.post('init/error', JSON.stringify(document), errorHeaders(document));
    } else {
      if (current === null || current.isAnswered) {
        logError(label, thrown);
      } else {
        current.fail(thrown, label);
      }
      await answering;
    }
  } finally {
    process.exit(status);
  }
}

function watchProcess(api) {
  process.on('uncaughtException', (error) => {
    end(api, 'Uncaught Exception', error, STATUS_OF_EXCEPTION);
  });
  process.on('unhandledRejection', (reason, promise) => {
    const error = new PlatformError('Runtime.UnhandledPromiseRejection', String(reason), { reason, promise });
    end(api, 'Unhandled Promise Rejection', error, STATUS_OF_REJECTION);
  });
  process.on('beforeExit', () => {
    if (!isInitialised) {
      process.exit(STATUS_OF_UNSETTLED_AWAIT);
    }
    current?.whenIdle();
  });
}

async function main() {
  const api = new RuntimeApi(environment.AWS_LAMBDA_RUNTIME_API);
  patchConsole();
  offerStreaming();
  watchProcess(api);
  let handler;
  try {
    handler = await loadHandler(environment._HANDLER ?? '');
  } catch (error) {
    await end(api, hasCallbacks ? 'Uncaught Exception' : 'Init Error', error, STATUS_OF_EXCEPTION);
    return;
  }
  // What was rejected meanwhile, with nobody there to handle it, is told of only now.
  await new Promise(setImmediate);
  if (isEnding) {
    return;
  }
  isInitialised = true;
  for (;;) {
    const event = await api.next();
    await invoke(api, handler, event);
    current = null;
  }
}

main().catch((error) => {
  logError('Runtime Error', error);
  process.exit(1);
});
