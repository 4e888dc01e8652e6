import { ApiError } from "@tellurstori/musicgen";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { announceEnding, summary } from "../src/state/announcements.ts";
import { announcement } from "../src/state/connection.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.stubGlobal("document", { documentElement: { dataset: {} } });
});
afterEach(() => vi.useRealTimers());

describe("announcements", () => {
  test("a take that ends alone is told with its prompt", () => {
    announceEnding("completed", "house");
    vi.runAllTimers();
    expect(announcement.value).toBe("Take ready: house");
  });

  test("takes that end together are told in one sentence", () => {
    for (const status of ["completed", "failed", "completed"]) announceEnding(status, "house");
    vi.runAllTimers();
    expect(announcement.value).toBe("2 takes ready, 1 failed.");
    expect(summary(["cancelled"])).toBe("1 take cancelled.");
  });
});

describe("a call while the service is away", () => {
  const fails = (...errors: unknown[]) =>
    vi.fn(() => (errors.length ? Promise.reject(errors.shift()) : Promise.resolve(7)));
  const load = () => import("../src/state/retry.ts");

  test("it is repeated until there is an answer, no sooner than the gateway asks", async () => {
    const { whenBack } = await load();
    const call = fails(new ApiError("away"), new ApiError("full", 503, null, 3));
    const answer = whenBack(call);
    await vi.advanceTimersByTimeAsync(1000);
    expect(call).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(2900);
    expect(call).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(100);
    expect(await answer).toBe(7);
  });

  test("a refusal ends it, also one for a quota, but not one for the rate", async () => {
    const { isTemporary, whenBack } = await load();
    await expect(whenBack(fails(new ApiError("gone", 410)))).rejects.toThrow("gone");
    expect(isTemporary(new ApiError("a day's quota", 429, null, 3600))).toBe(false);
    expect(isTemporary(new ApiError("too fast", 429, null, 1))).toBe(true);
  });

  test("a stop ends it at once", async () => {
    const { whenBack } = await load();
    const stop = new AbortController();
    const answer = whenBack(fails(new ApiError("away")), stop.signal);
    await vi.advanceTimersByTimeAsync(100);
    stop.abort();
    await expect(answer).rejects.toThrow("abort");
  });
});
