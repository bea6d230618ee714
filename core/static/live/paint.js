/**
 * Run something when what stands in the document now has been painted.
 *
 * A frame's callbacks run before its paint, and a message that they send is delivered after it.
 *
 * @param {Pick<Window, "requestAnimationFrame">} window
 * @returns {(run: () => void) => void}
 */
export function afterPaint(window) {
  return (run) => {
    window.requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        channel.port1.close();
        run();
      };
      channel.port2.postMessage(null);
    });
  };
}
