// SPDX-License-Identifier: MIT
// The browser's half of the carrier: everything that touches WebTransport.  web.h says what each
// function promises.  Nothing here calls the library before the call that it serves returns; what
// happens later is told by _qms_web_on_*.
//
// Emscripten 3.1.6 cannot read ?., for await, object spread and #private.
mergeInto(LibraryManager.library, {
  $QmsWeb: {
    objects: {}, // links and streams by number
    count: 0,
    timers: {}, // of drivers: setTimeout's number, or 0 when a turn is on its way
    waiting: 0, // the driver whose qms_js_wait is under way
    wake: null,
    CANCELLED: 0x12,
    CLOSED: 0, CLOSED_HERE: 1, REFUSED: 2, LOST: 3,

    add: function (o) {
      o.id = ++QmsWeb.count;
      QmsWeb.objects[o.id] = o;
      return o.id;
    },
    alive: function (o) { return QmsWeb.objects[o.id] === o; },
    nothing: function () {},

    // ---- turns ----

    // Not setTimeout, which browsers stretch to seconds in pages that nobody looks at.
    soon: function (call) {
      if (!QmsWeb.channel) {
        QmsWeb.channel = new MessageChannel();
        QmsWeb.calls = [];
        QmsWeb.channel.port1.onmessage = function () { QmsWeb.calls.shift()(); };
      }
      QmsWeb.calls.push(call);
      QmsWeb.channel.port2.postMessage(0);
    },
    // When it is known, or after other things that the browser has to tell by now.
    later: function (known, call) {
      var hops = 200;
      var hop = function () {
        if (--hops > 0 && !known()) QmsWeb.soon(hop);
        else call();
      };
      hop();
    },
    turn: function (web) {
      if (web in QmsWeb.timers) {
        delete QmsWeb.timers[web];
        // Who waits takes turns itself.
        if (QmsWeb.waiting === web) QmsWeb.wake();
        else _qms_web_turn(web);
      }
    },
    arm: function (web, ms) {
      var timers = QmsWeb.timers;
      if (QmsWeb.waiting === web && ms === 0) {
        QmsWeb.wake();
        return;
      }
      if (timers[web] === 0) return; // at once is early enough
      if (timers[web]) clearTimeout(timers[web]);
      delete timers[web];
      if (ms === 0) {
        timers[web] = 0;
        QmsWeb.soon(function () { QmsWeb.turn(web); });
      } else if (ms > 0) {
        timers[web] = setTimeout(QmsWeb.turn, Math.min(ms, 0x7fffffff), web);
      }
    },

    // ---- bytes ----

    // Copies to the link's scratch memory piece by piece.
    pieces: function (link, bytes, each) {
      var size = {{{ 64 * 1024 }}};
      for (var at = 0; at < bytes.length; at += size) {
        var piece = bytes.subarray(at, at + size);
        HEAPU8.set(piece, _qms_web_scratch(link));
        each(piece.length);
      }
    },
    scratch: function (link, bytes, max) {
      var some = bytes.subarray(0, max);
      HEAPU8.set(some, _qms_web_scratch(link));
      return some.length;
    },
    error: function (code) {
      return new WebTransportError({message: 'code ' + code, streamErrorCode: code});
    },
    // Tells the code of a stream's error, unless it is the session that has ended: then that is
    // told.  Firefox does not say the code of a reset nor which of both it was, Chromium at times
    // not that of a stop behind a reset: then it is that of the other direction, or CANCELLED.
    ended: function (s, error, tell) {
      var code = error ? error.streamErrorCode : undefined;
      if (error && error.source === 'session') return;
      if (typeof code === 'number') {
        s.code = code;
        tell(code);
        return;
      }
      QmsWeb.later(function () { return s.code !== undefined; }, function () {
        if (QmsWeb.alive(s) && !s.owner.over) tell(s.code === undefined ? QmsWeb.CANCELLED : s.code);
      });
    },

    // ---- sessions ----

    // A page that is left: Firefox would end its streams as if they were complete.
    leave: function () {
      for (var id in QmsWeb.objects) {
        var s = QmsWeb.objects[id];
        if (s.owner && s.writer) s.writer.abort(QmsWeb.error({{{ 0x0d }}})).catch(QmsWeb.nothing);
      }
      for (id in QmsWeb.objects) {
        var l = QmsWeb.objects[id];
        if (l.transport && !l.closing) l.transport.close({closeCode: {{{ 0x0d }}}, reason: 'the page was left'});
      }
    },

    // Hashes of the self-signed certificates of the broker at `url`, now and next; none when the
    // browser has to judge by itself.
    hashes: async function (api, url) {
      var answer = await fetch(api, {cache: 'no-store'});
      if (!answer.ok) throw new Error(api + ' answered ' + answer.status);
      var all = (await answer.json()).certificates;
      var port = new URL(url).port || '443';
      var there = all.filter(function (c) {
        return c.listens.some(function (l) { return l.webtransport && l.address.endsWith(':' + port); });
      });
      var wanted = there.length > 0 ? there : all; // a port may be mapped on the way
      if (!wanted.every(function (c) { return c.self_signed; })) return [];
      return wanted.flatMap(function (c) { return [c.sha256, c.next_sha256]; }).filter(Boolean)
        .map(function (hex) {
          return Uint8Array.from(hex.match(/../g), function (b) { return parseInt(b, 16); });
        });
    },
    connect: async function (l, url, pins, api) {
      if (!QmsWeb.leaving && typeof document !== 'undefined') {
        QmsWeb.leaving = true;
        addEventListener('pagehide', QmsWeb.leave);
      }
      try {
        var hashes = api ? pins.concat(await QmsWeb.hashes(api, url)) : pins;
        if (l.over) return;
        l.transport = new WebTransport(url, {
          protocols: ['quicms-1'],
          serverCertificateHashes: hashes.map(function (value) {
            return {algorithm: 'sha-256', value: value};
          }),
        });
        l.transport.closed.then(function (info) {
          QmsWeb.end(l, l.closing ? QmsWeb.CLOSED_HERE : QmsWeb.CLOSED, info.closeCode || 0, info.reason);
        }, function (error) { QmsWeb.lost(l, error); });
        await l.transport.ready;
      } catch (error) {
        QmsWeb.lost(l, error);
        return;
      }
      if (l.over || l.closing) return;
      l.ready = true;
      QmsWeb.serve(l, l.transport.incomingBidirectionalStreams, true);
      QmsWeb.serve(l, l.transport.incomingUnidirectionalStreams, false);
      QmsWeb.readDatagrams(l);
      _qms_web_on_ready(l.link);
    },
    lost: function (l, error) {
      if (l.closing) QmsWeb.end(l, QmsWeb.CLOSED_HERE, l.code, '');
      else QmsWeb.end(l, l.ready ? QmsWeb.LOST : QmsWeb.REFUSED, 0, String(error && error.message || error));
    },
    end: function (l, how, code, reason) {
      if (l.over || !QmsWeb.alive(l)) return;
      l.over = true;
      _qms_web_on_closed(l.link, how, code,
        QmsWeb.scratch(l.link, new TextEncoder().encode(reason || ''), 512));
    },

    // ---- datagrams ----

    readDatagrams: async function (l) {
      try {
        var reader = l.transport.datagrams.readable.getReader();
        for (;;) {
          var r = await reader.read();
          if (r.done || l.over) return;
          _qms_web_on_datagram(l.link, QmsWeb.scratch(l.link, r.value, 65536));
        }
      } catch (error) {
        // `closed` tells.
      }
    },
    datagram: function (l, bytes) {
      var d = l.transport.datagrams;
      if (!l.datagrams) l.datagrams = (d.writable || d.createWritable()).getWriter();
      if (l.sending >= 8) return 0;
      l.sending++;
      l.datagrams.write(bytes).then(function () {
        l.sending--;
        if (!l.over) _qms_web_on_room(l.link);
      }, QmsWeb.nothing);
      return 1;
    },

    // ---- streams ----

    serve: async function (l, streams, bidi) {
      try {
        var reader = streams.getReader();
        for (;;) {
          var r = await reader.read();
          if (r.done || l.over) return;
          QmsWeb.incoming(l, r.value, bidi);
        }
      } catch (error) {
        // `closed` tells.
      }
    },
    incoming: function (l, stream, bidi) {
      var s = {owner: l, st: 0};
      QmsWeb.add(s);
      QmsWeb.sides(s, bidi ? stream.readable : stream, bidi ? stream.writable : null);
      s.st = _qms_web_on_incoming(l.link, s.id, bidi);
      if (s.st) {
        QmsWeb.read(s);
      } else {
        delete QmsWeb.objects[s.id];
        QmsWeb.undo(s);
      }
    },
    sides: function (s, readable, writable) {
      if (readable) s.reader = readable.getReader();
      if (!writable) return;
      s.writable = writable;
      s.writer = writable.getWriter();
      s.writer.closed.catch(function (error) {
        if (!QmsWeb.alive(s) || s.reset) return;
        QmsWeb.ended(s, error, function (code) { _qms_web_on_stop(s.st, code); });
      });
    },
    // A stream that nobody wants any more.
    undo: function (s) {
      if (s.writer) s.writer.abort(QmsWeb.error(QmsWeb.CANCELLED)).catch(QmsWeb.nothing);
      if (s.reader) s.reader.cancel(QmsWeb.error(QmsWeb.CANCELLED)).catch(QmsWeb.nothing);
    },
    open: async function (s, bidi, priority) {
      var t = s.owner.transport;
      var stream;
      try {
        stream = await (bidi ? t.createBidirectionalStream({sendOrder: priority})
          : t.createUnidirectionalStream({sendOrder: priority}));
      } catch (error) {
        return; // `closed` tells.
      }
      QmsWeb.sides(s, bidi ? stream.readable : null, bidi ? stream.writable : stream);
      if (!QmsWeb.alive(s)) QmsWeb.undo(s);
      else _qms_web_on_opened(s.st);
    },
    read: async function (s) {
      if (s.reading || !s.reader) return;
      s.reading = true;
      try {
        while (s.reading) {
          var r = await s.reader.read();
          if (!QmsWeb.alive(s) || s.stopped || s.owner.over) return;
          if (r.done) {
            _qms_web_on_data(s.st, 0, 1);
            return;
          }
          QmsWeb.pieces(s.owner.link, r.value, function (len) {
            s.reading = _qms_web_on_data(s.st, len, 0) !== 0;
          });
        }
      } catch (error) {
        if (QmsWeb.alive(s) && !s.stopped) {
          QmsWeb.ended(s, error, function (code) { _qms_web_on_reset(s.st, code); });
        }
      }
    },
    // What still comes on a stream that was stopped.
    drain: async function (s) {
      try {
        while (!(await s.reader.read()).done);
      } catch (error) {
        // That is its end, too.
      }
    },
    // A view is read by the browser before write() returns: nothing is queued before it.
    write: function (s, bytes) {
      if (!(s.writer.desiredSize > 0)) {
        s.writer.ready.then(function () {
          if (QmsWeb.alive(s)) _qms_web_on_written(s.st, 0);
        }, QmsWeb.nothing);
        return 0;
      }
      var len = bytes.length;
      s.writer.write(bytes).then(function () {
        if (QmsWeb.alive(s) && !s.reset) _qms_web_on_written(s.st, len);
      }, QmsWeb.nothing);
      return 1;
    },
  },

  qms_js_arm__deps: ['$QmsWeb'],
  qms_js_arm: function (web, ms) { QmsWeb.arm(web, ms); },
  qms_js_forget_driver__deps: ['$QmsWeb'],
  qms_js_forget_driver: function (web) {
    clearTimeout(QmsWeb.timers[web]);
    delete QmsWeb.timers[web];
  },

#if ASYNCIFY
  qms_js_wait__deps: ['$QmsWeb', '$Asyncify'],
  qms_js_wait: function (web, ms) {
    if (QmsWeb.waiting && Asyncify.state === Asyncify.State.Normal) return 1;
    return Asyncify.handleSleep(function (wakeUp) {
      var timer;
      QmsWeb.waiting = web;
      QmsWeb.wake = function () {
        clearTimeout(timer);
        QmsWeb.waiting = 0;
        QmsWeb.wake = null;
        // Not within the call that wakes: that one is on the stack.
        Promise.resolve().then(function () { wakeUp(0); });
      };
      if (ms >= 0) timer = setTimeout(QmsWeb.wake, Math.min(ms, 0x7fffffff));
    });
  },
#else
  qms_js_wait: function (web, ms) { return 2; },
#endif

  qms_js_connect__deps: ['$QmsWeb'],
  qms_js_connect: function (link, url, hashes, count, api) {
    var l = {link: link, sending: 0};
    var pins = [];
    for (var i = 0; i < count; i++) pins.push(HEAPU8.slice(hashes + 32 * i, hashes + 32 * i + 32));
    QmsWeb.add(l);
    QmsWeb.connect(l, UTF8ToString(url), pins, UTF8ToString(api));
    return l.id;
  },
  qms_js_close__deps: ['$QmsWeb'],
  qms_js_close: function (id, code, reason, len) {
    var l = QmsWeb.objects[id];
    var text = new TextDecoder().decode(HEAPU8.slice(reason, reason + len));
    if (l.closing) return;
    l.closing = true;
    l.code = code;
    if (l.transport) l.transport.close({closeCode: code, reason: text});
    // Without a session to be closed nobody else tells of the end.
    if (!l.ready) Promise.resolve().then(function () { QmsWeb.end(l, QmsWeb.CLOSED_HERE, code, text); });
  },
  qms_js_forget__deps: ['$QmsWeb'],
  qms_js_forget: function (id) {
    var o = QmsWeb.objects[id];
    delete QmsWeb.objects[id];
    if (o && o.link && !o.over) {
      o.over = true;
      if (o.transport && !o.closing) o.transport.close();
    }
  },

  qms_js_datagram_max__deps: ['$QmsWeb'],
  qms_js_datagram_max: function (id) { return QmsWeb.objects[id].transport.datagrams.maxDatagramSize; },
  qms_js_datagram__deps: ['$QmsWeb'],
  qms_js_datagram: function (id, data, len) {
    return QmsWeb.datagram(QmsWeb.objects[id], HEAPU8.slice(data, data + len));
  },

  qms_js_open__deps: ['$QmsWeb'],
  qms_js_open: function (id, st, bidi, priority) {
    var s = {owner: QmsWeb.objects[id], st: st};
    QmsWeb.add(s);
    QmsWeb.open(s, bidi, priority);
    return s.id;
  },
  qms_js_write__deps: ['$QmsWeb'],
  qms_js_write: function (id, data, len, view) {
    return QmsWeb.write(QmsWeb.objects[id],
      view ? HEAPU8.subarray(data, data + len) : HEAPU8.slice(data, data + len));
  },
  qms_js_finish__deps: ['$QmsWeb'],
  qms_js_finish: function (id) {
    var s = QmsWeb.objects[id];
    s.writer.close().then(function () {
      if (QmsWeb.alive(s)) _qms_web_on_finished(s.st);
    }, QmsWeb.nothing);
  },
  qms_js_reset__deps: ['$QmsWeb'],
  qms_js_reset: function (id, code) {
    var s = QmsWeb.objects[id];
    s.reset = true;
    if (s.writer) s.writer.abort(QmsWeb.error(code)).catch(QmsWeb.nothing);
  },
  qms_js_stop__deps: ['$QmsWeb'],
  qms_js_stop: function (id, code) {
    var s = QmsWeb.objects[id];
    s.stopped = true;
    if (s.reader && _qms_web_quiet(s.owner.link)) QmsWeb.drain(s);
    else if (s.reader) s.reader.cancel(QmsWeb.error(code)).catch(QmsWeb.nothing);
  },
  // Firefox (ESR 153) sends no STOP_SENDING for cancel(), which at times loses what was written
  // before, and takes what is written before it sends it; and nothing but its name tells.  The
  // library says by a message that it has stopped, and is told by messages what has arrived.
  qms_js_firefox: function () { return /\bFirefox\//.test(navigator.userAgent) ? 1 : 0; },
  qms_js_read__deps: ['$QmsWeb'],
  qms_js_read: function (id) { QmsWeb.read(QmsWeb.objects[id]); },
  qms_js_priority__deps: ['$QmsWeb'],
  qms_js_priority: function (id, priority) {
    var s = QmsWeb.objects[id];
    if (s.writable && 'sendOrder' in s.writable) s.writable.sendOrder = priority;
  },
});
