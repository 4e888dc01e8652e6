import { problems } from "../state/form.ts";

/** What is wrong with a field, or with the whole request if `field` is empty. */
export function Problem({ field }: { field: string }) {
  const message = problems.value[field];
  return (
    <p id={`problem-${field || "request"}`} class="problem" role={message ? "alert" : undefined}>
      {message}
    </p>
  );
}
