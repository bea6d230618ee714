import { _, language } from "../live/texts.js";

/**
 * @param {number} bytes
 * @returns {string} “3.4 MB”
 */
export function filesize(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(3, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return new Intl.NumberFormat(language(), {
    style: "unit",
    unit: units[step] ?? "byte",
    maximumFractionDigits: step > 1 ? 1 : 0,
  }).format(bytes / 1000 ** step);
}

/**
 * @param {number} seconds
 * @returns {string} “about 2 min left”
 */
export function timeLeft(seconds) {
  if (seconds < 5) return _("a few seconds left");
  if (seconds < 60) return _("{seconds} s left", { seconds: Math.ceil(seconds / 5) * 5 });
  if (seconds < 3600) return _("about {minutes} min left", { minutes: Math.ceil(seconds / 60) });
  return _("about {hours} h left", { hours: Math.ceil(seconds / 3600) });
}
