/** Reports on the writes that this browser was asked about: when they stood on the screen, or why not. */

/** @typedef {import("./sights.js").Sight} Sight */

/**
 * @param {import("./signal.js").Signal<Sight>} sights
 * @param {(report: string) => void} send which also works while the page goes away
 * @returns {() => void} stops it
 */
export function witness(sights, send) {
  return sights.subscribe(({ frame, state, ms }) => {
    if (state === "open" || !frame.reports?.length) return;
    const seen = frame.reports.map((trace) => ({
      trace,
      state,
      age_ms: frame.age_ms ?? 0,
      painted_ms: Math.round(ms),
    }));
    send(JSON.stringify({ stream: frame.stream, seen }));
  });
}
