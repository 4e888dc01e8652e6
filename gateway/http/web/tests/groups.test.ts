import { expect, test } from "vitest";
import { groupsOf, type Member } from "../src/state/groups.ts";

function take(id: string, createdAt: number, request: string, parent: string | null = null): Member {
  return { id, createdAt, request, parent };
}

function ids(takes: Member[]): string[][] {
  return groupsOf(takes).map((group) => group.takes.map(({ id }) => id));
}

test("takes of one request stand together, and the request with the youngest take is first", () => {
  expect(ids([take("c", 3, "house"), take("b", 2, "jazz"), take("a", 1, "house")])).toEqual([["a", "c"], ["b"]]);
});

test("children stand with their parents, however many generations there are", () => {
  const family = [take("a", 1, "4 bars"), take("b", 2, "8 bars", "a"), take("c", 3, "16 bars", "b")];
  expect(ids([take("d", 4, "jazz"), ...family])).toEqual([["d"], ["a", "b", "c"]]);
});

test("a child whose parent the page does not know stands with the takes of its own settings", () => {
  expect(ids([take("b", 2, "4 bars", "gone"), take("a", 1, "4 bars")])).toEqual([["a", "b"]]);
});

test("a take that claims to be its own parent, or the child of a younger take, changes nothing", () => {
  expect(ids([take("a", 1, "house", "a"), take("b", 2, "jazz", "c"), take("c", 3, "funk", "b")])).toEqual([
    ["b", "c"],
    ["a"],
  ]);
});

test("requests of the same millisecond are in the order of the gateway's list: the greater id is younger", () => {
  const takes = [take("a", 1, "x"), take("c", 1, "y"), take("b", 1, "z")];
  expect(ids(takes)).toEqual([["c"], ["b"], ["a"]]);
});
