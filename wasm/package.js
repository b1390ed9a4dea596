// SPDX-License-Identifier: MIT
// Hands the library's callbacks to npm/core.js.
mergeInto(LibraryManager.library, {
  qmsp_event: function (what, handle, a, b, text, textLen, bytes, len) {
    Module['onEvent'](what, handle, a, b, HEAPU8.subarray(text, text + textLen),
      HEAPU8.subarray(bytes, bytes + len));
  },
});
