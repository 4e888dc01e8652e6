/** What a schema says of a value, and how a person says it. */
const RULES: [RegExp, string][] = [
  [/^Expected `str[^`]*` of length <= (\d+)$/, "Must have at most $1 characters."],
  [/^Expected `str[^`]*` of length >= 1$/, "Must not be empty."],
  [/^Expected `array[^`]*` of length >= 1$/, "Choose at least one."],
  [/^Expected `[^`]*` >= ([\d.-]+?)(?:\.0)?$/, "Must be at least $1."],
  [/^Expected `[^`]*` <= ([\d.-]+?)(?:\.0)?$/, "Must be at most $1."],
  [
    /^(\d+) uploaded files of .* bytes are stored, and .*$/,
    "$1 uploaded files are stored, which is the most that fits. Delete some here: choose one under “Begin with”.",
  ],
  [/^Expected `(int|float)[^`]*`, got `[^`]*`$/, "Must be a number."],
];

/** A refusal in the words of a form. What no rule knows is the gateway's own sentence. */
export function plainly(message: string): string {
  const rule = RULES.find(([pattern]) => pattern.test(message));
  return rule ? message.replace(rule[0], rule[1]) : message;
}
