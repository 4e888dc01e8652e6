import { change, form, MOST_VARIATIONS, numberOf, problems } from "../state/form.ts";

/** How many takes a request makes: they differ in their seeds. */
export function Variations() {
  const { variations } = form.value;
  const count = numberOf(variations) ?? 1;
  const set = (wanted: number) => change({ variations: String(Math.min(MOST_VARIATIONS, Math.max(1, wanted))) });
  return (
    <div class="stepper" role="group" aria-label="How many takes">
      <button
        type="button"
        class="quiet"
        aria-label="Fewer takes"
        aria-disabled={count <= 1}
        onClick={() => set(count - 1)}
      >
        −
      </button>
      <label>
        <input
          class="numbers"
          type="number"
          min={1}
          max={MOST_VARIATIONS}
          aria-invalid={"variations" in problems.value}
          value={variations}
          onInput={({ currentTarget }) => change({ variations: currentTarget.value })}
        />
        {variations === "1" ? "take" : "takes"}
      </label>
      <button
        type="button"
        class="quiet"
        aria-label="More takes"
        aria-disabled={count >= MOST_VARIATIONS}
        onClick={() => set(count + 1)}
      >
        +
      </button>
    </div>
  );
}
