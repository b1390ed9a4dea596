// SPDX-License-Identifier: MIT
// Types of @quicms/client.  doc/wire.md says what goes over the wire.

/** An agent's id, 'agent:ID', 'group:NAME', 'topic:NAME', 'service:NAME', or both apart. */
export type Target = string | { kind: TargetKind; name: string };
export type TargetKind = 'agent' | 'group' | 'topic' | 'service';
/** What is sent: bytes, or a text as UTF-8. */
export type Payload = string | ArrayBuffer | ArrayBufferView;

/** Named urgencies; any integer from 0 to 255 is one. */
export const Priority: {
  readonly BACKGROUND: 0;
  readonly LOW: 64;
  readonly NORMAL: 128;
  readonly HIGH: 192;
  readonly CRITICAL: 255;
};

/** Who is at fault, as far as an error alone tells. */
export type Culprit = 'nobody' | 'program' | 'operator' | 'system' | 'network' | 'peer';

export class QuicmsError extends Error {
  private constructor();
  /** One word.  That came over the wire (`code` tells the same): those of doc/wire.md section 7 in
   * small letters, such as 'offline', 'unauthenticated', 'forbidden', 'busy', 'rate_limited',
   * 'peer_gone', 'going_away', 'cancelled', and 'application' for codes from 0x80 on.  From here:
   * 'connect_failed', 'timed_out', 'transport' and 'idle_timeout' (the connection broke), 'closed',
   * 'invalid', 'state', 'limit', 'size_limit', 'exists', 'absent', 'unsupported_here'. */
  readonly name: string;
  /** The code of doc/wire.md section 7 that came over the wire; undefined when none did. */
  readonly code: number | undefined;
  readonly by: Culprit;
  /** Milliseconds after which to try again, where the other side told. */
  readonly retryAfter?: number;
  /** URL of another broker, where this one told. */
  readonly redirect?: string;
}

export interface ConnectOptions {
  /** Id to ask for; without one the broker gives one. */
  id?: string;
  /** Shown in HELLO.  A function is asked before each attempt, reconnects included. */
  token?: string | (() => string | Promise<string>);
  /** SHA-256 of certificates to trust, as WebTransport wants them. */
  serverCertificateHashes?: { algorithm: 'sha-256'; value: BufferSource }[];
  /** Where to ask for those of the broker's self-signed certificates before each attempt, such as
   * '/api/v1/cert'; so a renewed certificate is found. */
  certificateHashesUrl?: string | URL;
  /** Ends the attempt, and later the connection. */
  signal?: AbortSignal;
  /** Delays in milliseconds between attempts after a lost connection; false: none are made.
   * Default: 250, doubled up to 30,000.  The first attempt is made once. */
  reconnect?: false | { min?: number; max?: number };
  /** Milliseconds for each attempt (10,000). */
  connectTimeout?: number;
  /** Milliseconds of silence after which the connection counts as lost (30,000; 1,000 at least). */
  idleTimeout?: number;
  /** Milliseconds of silence after which a PING is sent (10,000); 0: never. */
  keepAlive?: number;
  /** Bytes taken ahead of the network for each stream (262,144). */
  sendBuffer?: number;
  /** Largest message and answer in bytes (1,048,576). */
  maxMessage?: number;
  /** Gives the browser views of the client's memory instead of copies. */
  zeroCopy?: boolean;
}

/** Optional fields of a stream's header.  Where a field is absent there, '' or no bytes are read. */
export interface HeaderOptions {
  /** Urgency, 255 first; see Priority. */
  priority?: number;
  /** Free bytes for the acceptor, at most 2,048. */
  meta?: Payload;
  contentType?: string;
  /** W3C Trace Context. */
  traceparent?: string;
  /** Authenticates this stream alone. */
  token?: Payload;
  /** Bytes that will follow; a hint. */
  lengthHint?: number;
  /** Milliseconds within which the acceptor must answer. */
  acceptDeadline?: number;
}

export interface OpenOptions extends HeaderOptions {
  /** Only this side sends.  Streams to a topic always are. */
  unidirectional?: boolean;
  /** A sequence of whole messages: each chunk of `readable` and `writable` is one. */
  framed?: boolean;
  /** Without an answer of the acceptor: `result` resolves at once. */
  noResult?: boolean;
  /** Harmless when it is delivered twice. */
  idempotent?: boolean;
}

export interface StreamResult {
  readonly meta: Uint8Array;
  /** Id of the agent that accepted; '' when not told. */
  readonly acceptor: string;
}

/** Urgency of the opener's and of the acceptor's direction. */
export interface StreamPriority {
  readonly forward: number;
  readonly reverse: number;
}

/** Figures by name, such as bytes_written or blocked_priority_us; messages_skipped is the sum of what
 * a stream's `skipped` events told, those before anyone listened included. */
export type Figures = Readonly<Record<string, number>>;

export interface StreamEventMap {
  /** The broker left out so many messages of a framed stream to a topic, because this subscriber was
   * slow.  Told when the stream goes on behind the gap; messages from before it may still wait to
   * be read. */
  skipped: CustomEvent<{ messages: number }>;
}

export interface Stream extends EventTarget {
  /** Undefined where only this side sends.  cancel(reason) tells the other side reason's code. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Undefined where only the other side sends.  abort(reason) tells reason's code. */
  readonly writable: WritableStream<Payload>;
  /** Of a stream that this side opened: accepted, or the refusal. */
  readonly result: Promise<StreamResult>;
  /** Resolves when both directions have ended well, rejects with what ended the first otherwise. */
  readonly closed: Promise<void>;
  /** Number among the streams of its opener; undefined while it waits to leave. */
  readonly id: number | undefined;
  readonly kind: TargetKind;
  /** Name that it was opened to. */
  readonly target: string;
  /** Id of the agent that opened it, vouched for by the broker; '' for this side's own. */
  readonly source: string;
  readonly bidirectional: boolean;
  readonly framed: boolean;
  readonly meta: Uint8Array;
  readonly contentType: string;
  readonly traceparent: string;
  readonly token: Uint8Array;
  readonly lengthHint: number | undefined;
  readonly priority: StreamPriority;
  /** A number sets what this side may: both directions of an own stream, else its own. */
  setPriority(priority: number | { forward?: number; reverse?: number }): void;
  /** Answers a stream of the other side; the first write does it too. */
  accept(options?: { meta?: Payload }): void;
  /** Refuses it. */
  reject(code?: number, reason?: string): void;
  /** Ends the sending direction at once. */
  reset(code?: number): void;
  /** Ends the receiving direction. */
  stop(code?: number): void;
  stats(): Figures;

  addEventListener<K extends keyof StreamEventMap>(type: K, listener: (event: StreamEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof StreamEventMap>(type: K, listener: (event: StreamEventMap[K]) => void,
    options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions): void;
}

export interface Datagram {
  readonly kind: TargetKind;
  readonly source: string;
  readonly priority: number;
  readonly payload: Uint8Array;
}

export interface Message {
  readonly kind: TargetKind;
  readonly target: string;
  readonly source: string;
  readonly contentType: string;
  readonly meta: Uint8Array;
  readonly priority: number;
  readonly payload: Uint8Array;
}

export interface Presence {
  /** '' with state 'snapshot': all who were there have been told. */
  readonly agent: string;
  readonly state: 'online' | 'offline' | 'snapshot';
}

/** What arrives, in order; iterations share it, and what waits is bounded. */
export interface Arrivals<T> extends AsyncIterableIterator<T> {
  /** Items that wait. */
  readonly length: number;
}

/** Ending an iteration over it ends it too. */
export interface Subscription<T> extends Arrivals<T> {
  /** Resolves when the broker has granted it, rejects when it refuses. */
  readonly ready: Promise<void>;
  leave(): Promise<unknown>;
}

export interface JoinOptions {
  /** Share of a group's streams beside the other members'. */
  weight?: number;
  /** Members of a higher priority are asked first. */
  priority?: number;
  /** What the broker does when this subscriber of a topic is too slow: lets the publisher wait (where
   * its configuration allows that), leaves out whole messages of framed streams (see the stream's
   * `skipped` event) and resets others, or resets all.  Default: as the broker is configured. */
  slowPolicy?: 'block' | 'drop' | 'disconnect';
}

export interface CloseInfo {
  closeCode: number;
  reason: string;
}

export interface AgentEventMap {
  /** Welcomed, at first and after each reconnect. */
  ready: CustomEvent<{ id: string }>;
  /** Lost; the next attempt begins in `delay` milliseconds. */
  reconnecting: CustomEvent<{ error: QuicmsError; delay: number }>;
  /** The broker will close within `deadline` milliseconds. */
  goaway: CustomEvent<{ error: QuicmsError; deadline: number; redirect: string }>;
  /** The broker holds this agent back. */
  throttled: CustomEvent<{ what: 'streams' | 'bytes' | 'datagrams'; retryAfter: number }>;
}

export interface Agent extends EventTarget {
  readonly id: string;
  readonly url: string;
  /** Resolves when either side has closed; rejects with QuicmsError when the connection broke. */
  readonly closed: Promise<CloseInfo>;
  /** Streams that other agents open.  1,024 wait at most; those beyond are refused (BUSY). */
  readonly incomingStreams: Arrivals<Stream>;
  /** 1,024 wait at most; then the oldest is dropped.  So with messages. */
  readonly incomingDatagrams: Arrivals<Datagram>;
  readonly incomingMessages: Arrivals<Message>;

  /** Opens a stream.  Needs no round trip: it can be written at once. */
  openStream(target: Target, options?: OpenOptions): Stream;
  /** Sends bytes on a stream of their own; resolves with the whole answer. */
  request(target: Target, payload: Payload,
    options?: HeaderOptions & { timeout?: number; signal?: AbortSignal }): Promise<Uint8Array>;
  /** Sends one message, whole or not at all; resolves when the broker has it and nobody refused. */
  send(target: Target, payload: Payload, options?: HeaderOptions): Promise<void>;

  /** Sends an unreliable datagram; throws (size_limit) over datagramMax(). */
  sendDatagram(target: Target, payload: Payload, options?: { priority?: number }): void;
  datagramMax(target: Target): number;

  /** Joins 'group:NAME' or 'topic:NAME': iterate over the streams that arrive for it. */
  join(target: Target, options?: JoinOptions): Subscription<Stream>;
  /** Iterates over who of the agents whose id begins with `prefix` is there, comes and goes. */
  watch(prefix?: string): Subscription<Presence>;

  /** Figures by name, such as rtt_smoothed_us; round trips and packets as the broker sees them. */
  stats(): Promise<Figures>;
  /** Round trip to the broker, in milliseconds. */
  ping(): Promise<number>;
  /** Shows a fresh token on the living connection. */
  refreshToken(token: string): Promise<void>;
  /** Ends the connection. */
  close(info?: { closeCode?: number; reason?: string }): Promise<CloseInfo>;

  addEventListener<K extends keyof AgentEventMap>(type: K, listener: (event: AgentEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof AgentEventMap>(type: K, listener: (event: AgentEventMap[K]) => void,
    options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions): void;
}

/**
 * Connects to a broker as an agent.  Resolves when the broker has welcomed it; rejects with
 * QuicmsError, or with the signal's reason.
 *
 * @param url  https://HOST:PORT/PATH
 */
export function connect(url: string | URL, options?: ConnectOptions): Promise<Agent>;
