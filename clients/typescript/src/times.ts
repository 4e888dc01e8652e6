// The date and time of RFC 3339, with or without a fraction of a second. `Date.parse` alone accepts more than that.
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/**
 * Reads a time of the gateway, such as a job's `created_at`.
 *
 * @throws RangeError if the text is no time of RFC 3339.
 */
export function parseTime(text: string): Date {
  const time = new Date(RFC_3339.test(text) ? text : Number.NaN);
  if (Number.isNaN(time.getTime())) throw new RangeError(`${JSON.stringify(text)} is no time of RFC 3339.`);
  return time;
}
